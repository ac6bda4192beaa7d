from integration.core.concealing import concealed, without_values


def test_only_what_is_on_the_list_is_shown() -> None:
    assert concealed("currencyCode", "EUR") == "EUR"
    assert concealed("phoneNumber", "+41 21 555 01 23") == "••• (16)"
    assert concealed("email", None) == concealed("email", "") == "–"


def test_a_message_loses_names_and_values_but_not_its_words() -> None:
    sides = [{"email": "anna@example.com", "country": "CH", "currencyCode": "EUR"}]

    text = without_values(
        "Müller SA <anna@example.com> has EUR in CH", sides, ["Müller SA", ""]
    )

    assert text == "••• <•••> has EUR in CH"
