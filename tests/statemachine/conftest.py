"""How the sequences are drawn, and what asserts in them say."""

import pytest
from hypothesis import Phase, settings

pytest.register_assert_rewrite("tests.statemachine.driver")
# For bugs that are planted: that one is found matters, not its shortest sequence.
settings.register_profile("first-failure", phases=[Phase.generate])
