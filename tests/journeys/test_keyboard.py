"""The list of errors by keyboard: the focus, and the place on the page, stay."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.site import WIDTHS, Site

pytestmark = pytest.mark.journey
SAME_PAGE = "body[data-is=same]"


def open_list(site: Site, page: Page, query: str = "") -> None:
    site.open(page, f"/errors/{query}")
    page.evaluate("document.body.dataset.is = 'same'")


def test_a_head_that_sorts_keeps_the_focus(site: Site, page: Page) -> None:
    open_list(site, page)
    page.locator("thead .c-side a").focus()

    page.keyboard.press("Enter")

    expect(page.locator("thead .c-side[aria-sort] a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("thead .c-side[aria-sort=descending] a")).to_be_focused()


def test_paging_keeps_the_focus_and_gives_it_to_the_way_back_at_the_end(
    site: Site, page: Page
) -> None:
    open_list(site, page, "?state=all&size=25")
    page.locator(".pager [rel=next]").focus()

    page.keyboard.press("Enter")

    expect(page.locator(".pager [rel=next]")).to_have_count(0)
    expect(page.locator(".pager [rel=prev]")).to_be_focused()


def test_a_retry_keeps_the_page_its_place_and_the_focus(site: Site, page: Page) -> None:
    button = to_retry(site, page, "deletion")
    before = page.evaluate("scrollY")
    assert before > 0

    page.keyboard.press("Enter")

    row = page.locator("tr", has=page.locator(":focus"))
    expect(row).to_contain_text("retrying")
    expect(button).to_be_focused()
    expect(page.get_by_text("It is being tried again")).to_have_count(1)
    expect(page.locator(SAME_PAGE)).to_have_count(1)
    assert page.evaluate("scrollY") == before


def test_a_retry_that_is_refused_says_so_in_sight(site: Site, page: Page) -> None:
    to_retry(site, page, "error")

    page.keyboard.press("Enter")

    expect(page.get_by_text("not been accepted yet")).to_be_in_viewport(ratio=1)
    expect(page.locator(SAME_PAGE)).to_have_count(1)


def to_retry(site: Site, page: Page, name: str) -> Locator:
    """The button of an error in the list, with the focus, below the page's top."""
    open_list(site, page)
    page.set_viewport_size({"width": WIDTHS[0][0], "height": 300})
    button = page.locator(f'.c-act > [formaction="/errors/{site.keys[name]}/retry/"]')
    button.evaluate("it => it.scrollIntoView({ block: 'center' })")
    button.focus()
    return button


def test_arrows_go_through_a_menu_and_enter_chooses(site: Site, page: Page) -> None:
    open_list(site, page)
    menu = page.locator(".filters details", has_text="Who")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")

    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")

    choices = menu.locator("[type=radio]")
    expect(choices.nth(2)).to_be_focused()
    expect(choices.nth(0)).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")

    expect(choices.nth(1)).to_be_checked()
    expect(page.locator(".filterline")).to_be_visible()
    expect(menu.locator("summary")).to_be_focused()


@pytest.mark.parametrize("width", [1200, WIDTHS[1][0]])
def test_the_bar_of_a_selection_stays_in_sight(
    site: Site, page: Page, width: int
) -> None:
    open_list(site, page)
    page.set_viewport_size({"width": width, "height": 600})
    last = page.locator("tbody .pick").last
    last.scroll_into_view_if_needed()

    last.click()

    bar = page.locator(".selbar")
    expect(bar).to_be_in_viewport(ratio=1)
    expect(bar.get_by_role("button", name="Clear selection")).to_be_in_viewport()


def test_enter_in_the_typed_number_deletes_nothing_by_a_wrong_one(
    site: Site, page: Page
) -> None:
    site.open(page, "/errors/cleanup/?all=1")
    page.locator(".fold-block summary").click()
    page.locator("#typed").fill("1")

    page.keyboard.press("Enter")

    expect(page.locator("#typed_error")).to_be_visible()
    expect(page.locator("#typed")).to_be_focused()
    assert "typed=1" in page.url


def test_enter_in_the_menu_of_a_selection_is_the_button_of_the_menu(
    site: Site, page: Page
) -> None:
    open_list(site, page, "?mapping=CUSTOMER&who=administrator")
    page.locator("tbody .pick").first.click()
    page.locator(".selbar .menu summary").click()
    page.locator(".selbar [name=reason]").fill("month's end")

    page.keyboard.press("Enter")

    expect(page.locator(".result")).to_contain_text("1 entry ignored")
    page.locator(".result button").click()
    expect(page.locator(".result")).to_contain_text("back")


def test_a_menu_that_the_keys_have_left_covers_nothing(site: Site, page: Page) -> None:
    open_list(site, page)
    menu = page.locator(".tool-menu").last
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(menu.get_by_role("link", name="Account")).to_be_focused()

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")

    expect(page.get_by_role("link", name="By cause")).to_be_focused()
    expect(page.locator("details.menu[open]")).to_have_count(0)


def test_a_cleared_selection_gives_the_focus_back_to_the_boxes(
    site: Site, page: Page
) -> None:
    open_list(site, page)
    boxes = page.locator("tbody .pick input")
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    boxes.nth(3).focus()
    page.keyboard.press("Shift+Space")
    expect(page.locator("#picked")).to_have_text("3")
    page.get_by_role("button", name="Clear selection").focus()

    page.keyboard.press("Enter")

    expect(boxes.nth(3)).to_be_focused()
    expect(page.locator("#picked")).to_have_text("0")
    assert not page.locator("thead [data-all]").evaluate("box => box.indeterminate")


@pytest.mark.parametrize(
    ("path", "control"),
    [
        ("/", "main .scroll[tabindex]"),
        ("/problems/", "tbody button >> nth=1"),
        ("/problems/", ".pager a >> nth=0"),
        ("/problems/{problem}/", "#actions button >> nth=2"),
    ],
)
def test_what_has_the_focus_keeps_it_when_the_page_renews_itself(
    site: Site, page: Page, path: str, control: str
) -> None:
    site.open(page, path)
    page.locator(control).focus()
    page.locator(control).evaluate("it => { it.dataset.is = 'old'; }")

    page.evaluate("dispatchEvent(new Event('focus'))")

    expect(page.locator("main [data-is=old]")).to_have_count(0)
    expect(page.locator(control)).to_be_focused()


def test_what_is_read_of_an_error_stays_open_while_it_is_tried(
    site: Site, page: Page
) -> None:
    site.open(page, "/errors/{tried}/")
    fold = page.locator(".a-tech summary").first
    fold.focus()
    page.keyboard.press("Enter")

    with page.expect_response(lambda answer: "/live/" not in answer.url):
        pass
    with page.expect_response(lambda answer: "/live/" not in answer.url):
        pass

    expect(page.locator(".a-tech > details[open]")).to_have_count(1)
    expect(fold).to_be_focused()


def test_the_heads_of_the_list_are_seen_on_a_telephone_when_they_have_the_focus(
    site: Site, page: Page
) -> None:
    open_list(site, page)
    page.set_viewport_size({"width": WIDTHS[1][0], "height": WIDTHS[1][1]})
    head = page.locator("thead")
    assert head.evaluate("it => it.offsetWidth") == 1

    for one in page.locator("thead :is(input, a)").all():
        one.focus()
        expect(one).to_be_in_viewport(ratio=1)
        assert one.evaluate(
            """it => {
                const { left, right, top, bottom } = it.getBoundingClientRect();
                const [x, y] = [(left + right) / 2, (top + bottom) / 2];
                return it === document.elementFromPoint(x, y);
            }"""
        )


def test_the_head_of_the_boxes_stays_with_the_other_heads(
    site: Site, page: Page
) -> None:
    open_list(site, page)
    page.set_viewport_size({"width": 1100, "height": 400})

    page.mouse.wheel(0, 300)

    page.wait_for_function("scrollY > 200")
    tops = page.locator("thead tr > *").evaluate_all(
        "all => all.map((one) => Math.round(one.getBoundingClientRect().y))"
    )
    assert len(set(tops)) == 1


def test_a_chosen_box_is_told_from_another_where_the_system_has_the_colours(
    site: Site, page: Page
) -> None:
    open_list(site, page)
    box = page.locator("tbody .pick input").first
    page.emulate_media(forced_colors="active")
    empty = box.screenshot()

    box.check()
    page.mouse.move(0, 0)
    page.locator("h1").click()

    assert box.screenshot() != empty
    page.emulate_media(forced_colors="null")


def test_on_paper_are_the_entries_and_no_button(site: Site, page: Page) -> None:
    open_list(site, page)
    page.emulate_media(media="print")

    expect(page.locator("tbody .title").first).to_be_visible()
    for one in ("header", ".toolbar", ".tabs", "tbody .pick", "tbody .btn"):
        expect(page.locator(one).locator("visible=true")).to_have_count(0)
    site.open(page, "/errors/{error}/")
    expect(
        page.locator("#main :is(button, textarea)").locator("visible=true")
    ).to_have_count(0)
    page.emulate_media(media="null")
