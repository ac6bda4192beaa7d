import pytest

from integration.connectors.batch import Part
from integration.connectors.batch_multipart import decode, encode
from integration.connectors.calls import Answer

TYPE = {"content-type": 'multipart/mixed; boundary="batchresponse_1"'}
FIRST = (
    b"--batchresponse_1\r\n"
    b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    b'HTTP/1.1 200 OK\r\nOData-Version: 4.0\r\nETag: W/"1"\r\n\r\n'
    b'{"name":"Z\xc3\xbcrich"}\r\n'
)
SECOND = (
    b"--batchresponse_1\r\nContent-Type: application/http\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\n\r\n\r\n"
)
END = b"--batchresponse_1--\r\n"


def test_every_line_ends_with_crlf_and_every_part_is_a_request() -> None:
    part = Part(
        "PATCH", "accounts(1)?$select=name", {"name": "Zürich"}, {"If-Match": "*"}
    )

    content_type, content = encode([part], "/api/data/v9.2/")

    boundary = content_type.partition('"')[2].rstrip('"')
    assert content.decode().split("\r\n") == [
        f"--{boundary}",
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        "",
        "PATCH /api/data/v9.2/accounts(1)?$select=name HTTP/1.1",
        "Content-Type: application/json; charset=utf-8",
        "If-Match: *",
        "",
        '{"name":"Zürich"}',
        f"--{boundary}--",
        "",
    ]


def test_each_answer_is_read() -> None:
    first, second = decode(Answer(200, TYPE, FIRST + SECOND + END), 2)

    assert first is not None
    assert first.json() == {"name": "Zürich"}
    assert first.headers == {"odata-version": "4.0", "etag": 'W/"1"'}
    assert second == Answer(204, {}, b"")


def test_bare_line_feeds_are_read_too() -> None:
    text = (FIRST + END).replace(b"\r\n", b"\n")

    (first,) = decode(Answer(200, TYPE, text), 1)

    assert first is not None
    assert first.status == 200


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        (b"", [None, None]),
        (FIRST, [None, None]),
        (FIRST + END, [200, None]),
        (FIRST + SECOND[:60], [200, None]),
        (FIRST + SECOND + SECOND + END, [200, 204]),
        (b"--batchresponse_1\r\nnothing\r\n" + FIRST + END, [None, 200]),
        (b"--batchresponse_1\r\n\r\nHTTP/1.1 404 Not Found\r\n" + END, [404, None]),
    ],
)
def test_missing_and_cut_answers_are_none(
    text: bytes, statuses: list[int | None]
) -> None:
    answers = decode(Answer(200, TYPE, text), 2)

    assert [answer and answer.status for answer in answers] == statuses


def test_an_answer_that_is_no_multipart_answers_nothing() -> None:
    assert decode(Answer(200, {"content-type": "text/plain"}, b"ok"), 1) == [None]
