"""Static files: hashed and compressed once collected, plain before that."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """Names with the hash of their content, which a browser may keep for good.

    Until ``manage.py collectstatic`` has run there are none, and nobody who only wants
    to try the product has to run it.
    """

    def stored_name(self, name: str) -> str:
        return str(super().stored_name(name)) if self.hashed_files else name
