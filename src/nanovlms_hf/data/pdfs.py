"""A folder of PDF files as pictures of pages and the text on them, the way Vary's corpus was made (arXiv 2312.06109, 2401.12503).

    pages = PdfPages("corpus", image_size=1024, split="train")
    pages.row(7)            # {"images": [...], "messages": [...], "file": "a/b.pdf", "page": 3}
    print(pages.report.sentence())

Opening a folder reads every page's text once (about 30 ms a page), so that what cannot be used is known, named and counted
before training: a scan without text, an encrypted file, one that was cut off. Pages are drawn when they are read. For a large
corpus do both once with `save_pdf_dataset`.

Not safe with threads, as PDFium is not; workers of a data loader are processes and open the files themselves.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium
from datasets import Dataset
from PIL import Image

from . import pdf_text
from .chat_rows import CHAT_FEATURES
from .documents import PROMPTS
from .pdf_text import PageTextError, page_text
from .pictures import MAX_PIXELS, encode_png

TASKS = ("ocr",)
SPLITS = ("train", "validation", "test")
_FILES_OPEN = 4
_TAIL = 1024  # bytes at the end that hold %%EOF in a whole file, as readers ask (ISO 32000-1, annex H, note 18)


class PdfError(ValueError):
    """A PDF file or page that cannot be used; one sentence with the file, the page, and what to do."""


class PdfPlace(NamedTuple):
    """A page of a folder.

    Attributes:
        file: path inside the folder, with slashes.
        page: number of the page, from 0.
    """

    file: str
    page: int


@dataclass
class PdfReport:
    """What opening a folder found.

    Attributes:
        files: PDF files of the split that could be opened.
        pages: pages that are used.
        bad: one sentence for each file or page that is not.
    """

    files: int = 0
    pages: int = 0
    bad: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """The numbers, and below them everything that was left out."""
        head = f"{self.pages} pages of {self.files} PDF files, {len(self.bad)} files or pages left out"
        return "\n".join([head + (":" if self.bad else ""), *(f"- {sentence}" for sentence in self.bad)])


class PdfPages:
    """The pages of all PDF files in a folder and the folders in it, by number; a `RowSource`.

    Args:
        folder (`str` or path): where the files are.
        split (`str`, *optional*): `train`, `validation` or `test`; all files when not given. A hash of a file's content decides
            its split, so that neither a copy nor a new name brings a page to the other side.
        image_size (`int`, *optional*): side of the square that a page is resized to, its proportions not kept; the page's
            own proportions at `dpi` when not given.
        dpi (`float`, defaults to 96): pixels an inch where `image_size` is not given.
        task (`str`, defaults to `"ocr"`): the text in reading order is the only one a PDF knows.
        seed (`int`, defaults to 0): draws the prompts.
        paraphrases (`bool`, defaults to `True`): draw the prompt of a page among several; else it is always the first.
        join_hyphens (`bool`, defaults to `False`): see `page_text`.
        max_characters (`int`, *optional*): pages with more text are bad.
        validation_fraction, test_fraction (`float`, default to 0.05): shares of the files.
        on_bad (`str`, defaults to `"raise"`): what a file or page that cannot be used does; "report" counts and lists it in
            `report` and prints the list.

    Attributes:
        length (`int`): pages that can be used.
        places (`list[PdfPlace]`): where they are.
        report (`PdfReport`): what was found.

    Raises:
        FileNotFoundError: if there is no such folder.
        PdfError: for a bad file or page (`on_bad="raise"`), or if no page is left.
        ValueError: for an option that cannot be.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        *,
        split: str | None = None,
        image_size: int | None = None,
        dpi: float = 96.0,
        task: str = "ocr",
        seed: int = 0,
        paraphrases: bool = True,
        join_hyphens: bool = False,
        max_characters: int | None = None,
        validation_fraction: float = 0.05,
        test_fraction: float = 0.05,
        on_bad: str = "raise",
    ):
        _check_options(split, image_size, dpi, task, max_characters, validation_fraction, test_fraction, on_bad)
        self.folder, self.split, self.image_size, self.dpi = Path(folder), split, image_size, dpi
        self.seed, self.paraphrases, self.join_hyphens = seed, paraphrases, join_hyphens
        self.max_characters, self.on_bad = max_characters, on_bad
        self._shares = validation_fraction, test_fraction
        self._open: OrderedDict[str, pypdfium2.PdfDocument] = OrderedDict()
        self._process = os.getpid()
        self.digests: dict[str, str] = {}
        self.places: list[PdfPlace] = []
        self.report = PdfReport()
        atexit.register(
            _close_at_exit, weakref.ref(self)
        )  # else pypdfium2 complains of every file that it has to close
        self._index()

    @property
    def length(self) -> int:
        """Pages that can be used."""
        return len(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def row(self, index: int) -> dict[str, Any]:
        """One page.

        Args:
            index (`int`): from 0 to `length` - 1.

        Returns:
            `dict`: `images` (one RGB picture), `messages` (a prompt with the picture, and the text), `file` and `page`, the
            latter from 1 as readers count.
        """
        place = self.places[index]
        page = self._page(place)
        try:
            text, picture = self._text(place, page), self._picture(place, page)
        finally:
            page.close()
        prompts = PROMPTS["ocr"] if self.paraphrases else PROMPTS["ocr"][:1]
        prompt = Random(f"{self.seed}:{self.digests[place.file]}:{place.page}").choice(prompts)
        messages = [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]},
            {"role": "assistant", "content": [{"type": "text", "text": text}]},
        ]
        return {"images": [picture], "messages": messages, "file": place.file, "page": place.page + 1}

    def close(self) -> None:
        """Closes the files that are open; rows open them again."""
        while self._open:
            self._open.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict()}

    # the index --------------------------------------------------------------------------------------------------------

    def _index(self) -> None:
        names = _pdf_names(self.folder)
        for name in names:
            digest = _digest(self.folder / name)
            if self.split is None or _split_of(digest, *self._shares) == self.split:
                self.digests[name] = digest
        if not self.digests:
            raise PdfError(
                f"none of the {len(names)} PDF files in {str(self.folder)!r} falls to the split {self.split!r}: add files, or "
                "raise its fraction."
            )
        for name in self.digests:
            try:
                pages = len(self._document(name))
            except PdfError as error:
                self._bad(error)
                continue
            self.report.files += 1
            for number in range(pages):
                self._try(PdfPlace(name, number))
        self.close()
        self.report.pages = len(self.places)
        if self.report.bad:
            print(self.report.sentence())
        if not self.places:
            raise PdfError(f"no page in {str(self.folder)!r} can be used, the first reason: {self.report.bad[0]}")

    def _try(self, place: PdfPlace) -> None:
        try:
            page = self._page(place)
            try:
                self._text(place, page)
                self._scale(place, page)
            finally:
                page.close()
        except PdfError as error:
            self._bad(error)
        else:
            self.places.append(place)

    def _bad(self, error: PdfError) -> None:
        if self.on_bad == "raise":
            self.close()
            raise error
        self.report.bad.append(str(error))

    # files and pages --------------------------------------------------------------------------------------------------

    def _document(self, name: str) -> pypdfium2.PdfDocument:
        if self._process != os.getpid():  # a forked worker shares its parent's files, and their place in them
            self._open, self._process = OrderedDict(), os.getpid()
        if name not in self._open:
            self._open[name] = open_pdf(self.folder / name, str(self.folder / name))
            if len(self._open) > _FILES_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(name)
        return self._open[name]

    def _page(self, place: PdfPlace) -> pypdfium2.PdfPage:
        document = self._document(place.file)
        try:
            return document[place.page]
        except pypdfium2.PdfiumError as error:
            raise self._error(place, "is damaged: get the file again, or leave it out") from error

    def _text(self, place: PdfPlace, page: pypdfium2.PdfPage) -> str:
        try:
            text = page_text(page, self.join_hyphens)
        except (PageTextError, pypdfium2.PdfiumError) as error:
            raise self._error(place, str(error).rstrip(".")) from error
        if self.max_characters is not None and len(text) > self.max_characters:
            raise self._error(
                place,
                f"has {len(text)} characters of text, more than max_characters={self.max_characters}: raise that, or leave the "
                "page out",
            )
        return text

    def _scale(self, place: PdfPlace, page: pypdfium2.PdfPage) -> float:
        """Pixels a point; at `image_size` enough for the shorter side."""
        width, height = page.get_size()
        scale = self.dpi / 72 if self.image_size is None else self.image_size / max(min(width, height), 1e-6)
        if not 1 <= width * height * scale**2 <= MAX_PIXELS:
            raise self._error(
                place,
                f"measures {width:g} x {height:g} points, at this size a picture of {width * height * scale**2:.0f} pixels; "
                f"expected 1 to {MAX_PIXELS}: choose another size, or leave the page out",
            )
        return scale

    def _picture(self, place: PdfPlace, page: pypdfium2.PdfPage) -> Image.Image:
        bitmap = page.render(scale=self._scale(place, page))
        picture = bitmap.to_pil().convert("RGB")
        bitmap.close()
        if self.image_size is not None:
            picture = picture.resize((self.image_size, self.image_size), Image.Resampling.LANCZOS)
        return picture

    def _error(self, place: PdfPlace, sentence: str) -> PdfError:
        return PdfError(f"{str(self.folder / place.file)!r}, page {place.page + 1}, {sentence}.")


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


def pdf_dataset(folder: str | os.PathLike, cache_dir: str | None = None, **options: Any) -> Dataset:
    """A folder of PDF files as a table of pictures and chat messages.

    Args:
        folder (`str` or path): where the files are.
        cache_dir (`str`, *optional*): where `datasets` keeps the table; its own default when not given. The same files and
            options are looked up the next time.
        options: those of `PdfPages`.

    Returns:
        `Dataset` with `CHAT_FEATURES`.

    Raises:
        FileNotFoundError, PdfError, ValueError: as `PdfPages`.
    """
    pages = PdfPages(folder, **options)
    code = hashlib.sha256(Path(__file__).read_bytes() + Path(pdf_text.__file__).read_bytes()).hexdigest()
    return Dataset.from_generator(
        _encoded_rows, features=CHAT_FEATURES, cache_dir=cache_dir, gen_kwargs={"pages": pages, "code": code}
    )


def save_pdf_dataset(folder: str | os.PathLike, output: str | os.PathLike, **options: Any) -> PdfReport:
    """Turns a folder of PDF files into a folder that `datasets.load_from_disk` reads, and that a source's `path` may name.

    Args:
        folder (`str` or path): where the files are.
        output (`str` or path): folder to write; nothing is left there if anything fails.
        options: those of `PdfPages`.

    Returns:
        `PdfReport`: what was found.

    Raises:
        FileExistsError: if `output` exists.
        FileNotFoundError, PdfError, ValueError: as `PdfPages`.
    """
    output = Path(output)
    if output.exists():
        raise FileExistsError(f"{str(output)!r} exists: name a folder that does not, or remove it.")
    pages = PdfPages(folder, **options)
    output.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        kwargs = {"pages": pages, "code": ""}
        table = Dataset.from_generator(
            _encoded_rows, features=CHAT_FEATURES, cache_dir=str(work / "cache"), gen_kwargs=kwargs
        )
        table.save_to_disk(work / "table")
        (work / "table").rename(output)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return pages.report


def _encoded_rows(pages: PdfPages, code: str) -> Iterator[dict[str, Any]]:
    """Rows for a table; `code` only makes the table's fingerprint change with this module."""
    for index in range(len(pages)):
        row = pages.row(index)
        images = [{"bytes": encode_png(image), "path": None} for image in row["images"]]
        messages = [
            {**message, "content": [{"type": part["type"], "text": part.get("text")} for part in message["content"]]}
            for message in row["messages"]
        ]
        yield {"images": images, "messages": messages}
    pages.close()


def _close_at_exit(reference: weakref.ref) -> None:
    pages = reference()
    if pages is not None:
        pages.close()


def _pdf_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {str(folder)!r}: give the path of a folder with PDF files.")
    files = (path for path in folder.rglob("*") if path.suffix.lower() == ".pdf" and path.is_file())
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    if not names:
        raise PdfError(f"{str(folder)!r} holds no PDF file: name a folder with files that end in .pdf.")
    return names


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _split_of(digest: str, validation: float, test: float) -> str:
    place = int(digest[:16], 16) / 2**64
    return "validation" if place < validation else "test" if place < validation + test else "train"


def _check_options(split, image_size, dpi, task, max_characters, validation, test, on_bad) -> None:
    choices = {"split": (split, (None, *SPLITS)), "task": (task, TASKS), "on_bad": (on_bad, ("raise", "report"))}
    for name, (value, valid) in choices.items():
        if value not in valid:
            raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(map(str, valid))}.")
    for name, value in {"image_size": image_size, "max_characters": max_characters}.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name}={value!r} cannot be; expected a whole number of at least 1, or none.")
    if isinstance(dpi, bool) or not isinstance(dpi, int | float) or not 0 < dpi <= 2400:
        raise ValueError(f"dpi={dpi!r} cannot be; expected a number above 0, up to 2400.")
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise ValueError(
            f"validation_fraction={validation} and test_fraction={test} leave nothing for training; expected shares from 0 that "
            "are less than 1 together."
        )


__all__ = [
    "PdfError",
    "PdfPages",
    "PdfPlace",
    "PdfReport",
    "open_pdf",
    "pdf_dataset",
    "save_pdf_dataset",
]
