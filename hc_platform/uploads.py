"""How much of an uploaded file the server keeps while it reads a request."""

from django.core.files.uploadhandler import TemporaryFileUploadHandler

from annotation.services.intake import imports


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """One file a request, of somebody who is signed in, and no more of it than an import may have.

    Django reads a form's files before it asks whose they are, so anybody could fill the disk.
    """

    n_files = 0

    def new_file(self, *args, **kwargs) -> None:
        self.n_files += 1
        super().new_file(*args, **kwargs)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """What is not kept is read and dropped. Of a file that is too large enough is kept to refuse it."""
        is_wanted = self.n_files == 1 and self.request.user.is_authenticated
        if is_wanted and start <= imports.MAX_FILE_BYTES:
            super().receive_data_chunk(raw_data, start)
