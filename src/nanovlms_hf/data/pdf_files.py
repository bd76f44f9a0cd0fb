"""The files of a folder of PDFs: which there are, whether they are whole, and which split each belongs to."""

import hashlib
import os
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

_TAIL = 1024  # bytes at the end that hold %%EOF in a whole file, as readers ask (ISO 32000-1, annex H, note 18)
_PIECE = 1 << 16  # bytes from either end of a file that tell it from others


class PdfError(ValueError):
    """A PDF file or page that cannot be used; one sentence with the file, the page, and what to do."""


def open_pdf(path: str | os.PathLike, name: str | None = None) -> pypdfium2.PdfDocument:
    """Opens a PDF file that is whole and needs no password.

    Args:
        path (`str` or path): the file.
        name (`str`, *optional*): what errors call it.

    Raises:
        PdfError: if the file is empty, no PDF, cut off, damaged, encrypted, or without pages.
    """
    name = repr(name or str(path))
    with open(path, "rb") as file:
        head = file.read(_TAIL)
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL))
        tail = file.read()
    if b"%PDF-" not in head:
        what = "is empty" if not head else "is no PDF file (it does not begin with %PDF-)"
        raise PdfError(f"{name} {what}: get it again, or leave it out.")
    if b"%%EOF" not in tail:
        raise PdfError(f"{name} is cut off (its end mark %%EOF is missing): get the whole file, or leave it out.")
    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            cure = "save a copy without encryption, such as with `qpdf --decrypt --password=...`, or leave it out"
            raise PdfError(f"{name} is encrypted and needs a password: {cure}.") from error
        raise PdfError(f"{name} is damaged or cut off and cannot be opened: get it again, or leave it out.") from error
    if len(document) == 0:
        document.close()
        raise PdfError(f"{name} has no pages: get it again, or leave it out.")
    return document


def pdf_names(folder: Path) -> list[str]:
    """Paths of the PDF files in a folder and the folders in it, sorted.

    Raises:
        FileNotFoundError: if there is no such folder.
        PdfError: if it holds no PDF file.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r}: give the path of a folder with PDF files.")
    files = (path for path in folder.rglob("*") if path.suffix.lower() == ".pdf" and path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    if not names:
        raise PdfError(f"{str(folder)!r} holds no PDF file: name a folder with files that end in .pdf.")
    return names


def file_digest(path: Path) -> str:
    """A hash of a file's size and of its first and last 64 KiB, which tells it from others in a time that does not grow with it."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        found = hashlib.sha256(str(size).encode())
        for start in (0, max(_PIECE, size - _PIECE)):
            file.seek(start)
            found.update(file.read(_PIECE))
    return found.hexdigest()


def split_of(digest: str, validation: float, test: float) -> str:
    """The split that a file of this hash belongs to, by the shares of validation and test."""
    place = int(digest[:16], 16) / 2**64
    return "validation" if place < validation else "test" if place < validation + test else "train"


__all__ = ["PdfError", "file_digest", "open_pdf", "pdf_names", "split_of"]
