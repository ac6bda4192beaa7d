"""An endpoint that cannot be used as it is stored: nobody is called."""

from integration.core.outcomes import Finding
from integration.services.sentences import InWords


class Unusable(InWords):
    """Nothing at all would pass until a person does something (promise 9).

    ``finding`` is what is recorded of it; the sentence says more exactly what is wrong.
    """

    def __init__(self, finding: Finding, text: str, /, **values: str) -> None:
        super().__init__(text, **values)
        self.finding = finding
