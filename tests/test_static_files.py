"""Hashed names once collected, plain ones before."""

from pathlib import Path

from django.core.files.base import ContentFile

from syncerrors.static_files import StaticFiles


def storage(folder: Path) -> StaticFiles:
    return StaticFiles(location=folder, base_url="/static/")


def test_nothing_has_to_be_collected_to_try_the_product(tmp_path: Path) -> None:
    assert storage(tmp_path).url("sync-errors.css") == "/static/sync-errors.css"


def test_a_collected_file_is_hashed_and_compressed(tmp_path: Path) -> None:
    files = storage(tmp_path)
    files.save("sync-errors.css", ContentFile(b"body { color: black }" * 99))
    list(files.post_process({"sync-errors.css": (files, "sync-errors.css")}))

    address = storage(tmp_path).url("sync-errors.css")

    assert address.startswith("/static/sync-errors.")
    assert address != "/static/sync-errors.css"
    assert list(tmp_path.glob("sync-errors.*.css.gz"))
