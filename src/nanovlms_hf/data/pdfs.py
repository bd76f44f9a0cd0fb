"""A folder of PDF files as pictures of pages and the text on them, the way Vary's corpus was made (arXiv 2312.06109, 2401.12503).

    pages = PdfPages("corpus", image_size=1024, split="train")
    pages.row(7)            # {"images": [...], "messages": [...], "file": "a/b.pdf", "page": 3}
    print(pages.report.sentence())

Opening a folder looks at the files alone: which there are, whether they open, how many pages each has. So time and memory follow
the number of files, not what is in them, and a file that is encrypted or cut off is named at once. A page's text is read and its
picture drawn when the row is; a page without text, as a scan is, is found then, or before training by `check`, which reads the
text of every page (about 30 ms each) and keeps none of it. For a large corpus do all of it once with `save_pdf_dataset`.

Not safe with threads, as PDFium is not; workers of a data loader are processes and open the files themselves.
"""

import atexit
import hashlib
import logging
import os
import shutil
import tempfile
import weakref
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import datasets
import pypdfium2
from datasets import Dataset
from PIL import Image

from . import pdf_files, pdf_text
from .chat_rows import CHAT_FEATURES
from .documents import PROMPTS
from .pdf_files import PdfError, file_digest, open_pdf, pdf_names, split_of
from .pdf_text import PageTextError, page_text
from .pictures import MAX_PIXELS, encode_png
from .shuffles import key_of, permute

logger = logging.getLogger(__name__)

TASKS = ("ocr",)
SPLITS = ("train", "validation", "test")
BAD_LISTED = 1000  # sentences that a report keeps; all are counted
_FILES_OPEN = 4
_LOGGED = 5
_MOST_TRIES = 1000  # pages looked at in place of a bad one


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
    """What was found in a folder: by opening it, of the files; by reading all pages, of those too.

    Attributes:
        files: PDF files of the split that could be opened.
        pages: their pages, without those that are known to be bad.
        left_out: files and pages that cannot be used.
        bad: one sentence for each of the first `BAD_LISTED` of them.
    """

    files: int = 0
    pages: int = 0
    left_out: int = 0
    bad: list[str] = field(default_factory=list)

    def add(self, sentence: str) -> None:
        """Counts a file or page that cannot be used, and lists it while the list is not full."""
        self.left_out += 1
        if len(self.bad) < BAD_LISTED:
            self.bad.append(sentence)

    def sentence(self) -> str:
        """The numbers, and below them what was left out."""
        head = f"{self.pages} pages of {self.files} PDF files, {self.left_out} files or pages left out"
        more = [f"- and {self.left_out - len(self.bad)} more"] if self.left_out > len(self.bad) else []
        return "\n".join([head + (":" if self.bad else ""), *(f"- {sentence}" for sentence in self.bad), *more])


class PdfPages:
    """The pages of all PDF files in a folder and the folders in it, by number; a `RowSource`.

    Args:
        folder (`str` or path): where the files are.
        split (`str`, *optional*): `train`, `validation` or `test`; all files when not given. A hash of a file's size and of its
            first and last 64 KiB decides its split, so that neither a copy nor a new name brings a page to the other side.
        image_size (`int`, *optional*): side of the square that a page is resized to, its proportions not kept; the page's
            own proportions at `dpi` when not given.
        dpi (`float`, defaults to 96): pixels an inch where `image_size` is not given.
        task (`str`, defaults to `"ocr"`): the text in reading order is the only one a PDF knows.
        seed (`int`, defaults to 0): draws the prompts.
        paraphrases (`bool`, defaults to `True`): draw the prompt of a page among several; else it is always the first.
        join_hyphens (`bool`, defaults to `False`): see `page_text`.
        max_characters (`int`, *optional*): pages with more text are bad.
        validation_fraction, test_fraction (`float`, default to 0.05): shares of the files.
        on_bad (`str`, defaults to `"raise"`): what a file or page that cannot be used does. With "report" such a file is left
            out, counted and listed in `report`, which is printed; in place of such a page another one of the folder is read,
            drawn by the seed and the page, so that a row stays a function of its number.

    Attributes:
        length (`int`): pages of the files that can be opened.
        report (`PdfReport`): what opening the folder found; pages that turn out bad when rows are read are logged by the process
            that reads them.

    Raises:
        FileNotFoundError: if there is no such folder.
        PdfError: for a bad file (`on_bad="raise"`), or if none is left; when a row is read, for a bad page.
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
        self.report = PdfReport()
        self._names: list[str] = []
        self._ends: list[int] = []  # pages up to the end of each file
        self._logged = 0
        atexit.register(
            _close_at_exit, weakref.ref(self)
        )  # else pypdfium2 complains of every file that it has to close
        self._index()

    @property
    def length(self) -> int:
        """Pages of the files that can be opened."""
        return self._ends[-1]

    def __len__(self) -> int:
        return self.length

    def place(self, index: int) -> PdfPlace:
        """Where a page is: its file and its number in it; raises IndexError for a page that is not there."""
        if not 0 <= index < self.length:
            raise IndexError(f"page {index} was asked of a folder of {self.length} pages.")
        number = bisect_right(self._ends, index)
        return PdfPlace(self._names[number], index - (self._ends[number - 1] if number else 0))

    def row(self, index: int) -> dict[str, Any]:
        """One page, or with `on_bad="report"` another one if that cannot be used.

        Args:
            index (`int`): from 0 to `length` - 1.

        Returns:
            `dict`: `images` (one RGB picture), `messages` (a prompt with the picture, and the text), `file` and `page`, the
            latter from 1 as readers count.

        Raises:
            PdfError: the page cannot be used (`on_bad="raise"`), or none of those tried in its place.
        """
        try:
            return self._row(self.place(index))
        except PdfError as error:
            if self.on_bad == "raise":
                raise
            first = error
        self._log(first)
        key = key_of(self.seed, "in place of a bad page")
        others = (permute((index + step) % self.length, self.length, key) for step in range(1, self.length + 1))
        for other in islice(others, _MOST_TRIES):
            try:
                return self._row(self.place(other))
            except PdfError as error:
                self._log(error)
        raise PdfError(
            f"no page in {str(self.folder)!r} can be used, of {min(self.length, _MOST_TRIES + 1)} that were tried; the first reason: "
            f"{first}"
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """All pages in order, each once; bad ones raise `PdfError` or are left out."""
        for index in range(self.length):
            try:
                row = self._row(self.place(index))
            except PdfError as error:
                if self.on_bad == "raise":
                    raise
                self._log(error)
            else:
                yield row
        self.close()

    def check(self) -> PdfReport:
        """Reads every page's text, keeps none of it, and says which pages cannot be used.

        Returns:
            `PdfReport`: of files and pages; printed if it lists more than opening the folder did.

        Raises:
            PdfError: for the first bad page (`on_bad="raise"`), or if no page can be used.
        """
        report = PdfReport(self.report.files, self.length, self.report.left_out, list(self.report.bad))
        for index in range(self.length):
            place = self.place(index)
            try:
                self._check(place)
            except PdfError as error:
                if self.on_bad == "raise":
                    self.close()
                    raise
                report.add(str(error))
                report.pages -= 1
        self.close()
        if not report.pages:
            raise PdfError(f"no page in {str(self.folder)!r} can be used, the first reason: {report.bad[0]}")
        if report.left_out > self.report.left_out:
            print(report.sentence())
        return report

    def close(self) -> None:
        """Closes the files that are open; rows open them again."""
        while self._open:
            self._open.popitem()[1].close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": OrderedDict(), "_process": 0, "_logged": 0}

    # the index --------------------------------------------------------------------------------------------------------

    def _index(self) -> None:
        names = pdf_names(self.folder)
        for name in names:
            digest = file_digest(self.folder / name)
            if self.split is None or split_of(digest, *self._shares) == self.split:
                self.digests[name] = digest
        if not self.digests:
            raise PdfError(
                f"none of the {len(names)} PDF files in {str(self.folder)!r} falls to the split {self.split!r}: add files, or "
                "raise its fraction."
            )
        for name in list(self.digests):
            try:
                pages = len(self._document(name))
            except PdfError as error:
                if self.on_bad == "raise":
                    self.close()
                    raise
                self.report.add(str(error))
                del self.digests[name]
                continue
            self._names.append(name)
            self._ends.append((self._ends[-1] if self._ends else 0) + pages)
        self.close()
        if not self._names:
            raise PdfError(f"no file in {str(self.folder)!r} can be used, the first reason: {self.report.bad[0]}")
        self.report.files, self.report.pages = len(self._names), self.length
        if self.report.left_out:
            print(self.report.sentence())

    def _log(self, error: PdfError) -> None:
        """Says the first few bad pages that this process meets; `check` lists them all."""
        self._logged += 1
        if self._logged <= _LOGGED:
            more = "; further ones are not logged, `PdfPages.check` lists them" if self._logged == _LOGGED else ""
            logger.warning(f"left out: {error}{more}")

    # pages ------------------------------------------------------------------------------------------------------------

    def _row(self, place: PdfPlace) -> dict[str, Any]:
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

    def _check(self, place: PdfPlace) -> None:
        page = self._page(place)
        try:
            self._text(place, page)
            self._scale(place, page)
        finally:
            page.close()

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
        FileNotFoundError, PdfError, ValueError: as `PdfPages` and its rows.
    """
    pages = PdfPages(folder, **options)
    files = (__file__, pdf_files.__file__, pdf_text.__file__)
    code = hashlib.sha256(b"".join(Path(file).read_bytes() for file in files)).hexdigest()
    return _table(pages, code, cache_dir)


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
    report = pages.check()
    output.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        table = _table(pages, "", str(work / "cache"))
        table.save_to_disk(work / "table")
        (work / "table").rename(output)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return report


def _table(pages: PdfPages, code: str, cache_dir: str | None) -> Dataset:
    """The usable pages as a table; `code` only makes its fingerprint change with this module."""
    try:
        return Dataset.from_generator(
            _encoded_rows, features=CHAT_FEATURES, cache_dir=cache_dir, gen_kwargs={"pages": pages, "code": code}
        )
    except datasets.exceptions.DatasetGenerationError as error:
        if isinstance(error.__cause__, PdfError):
            raise error.__cause__ from None
        raise


def _encoded_rows(pages: PdfPages, code: str) -> Iterator[dict[str, Any]]:
    for row in pages.rows():
        images = [{"bytes": encode_png(image), "path": None} for image in row["images"]]
        messages = [
            {**message, "content": [{"type": part["type"], "text": part.get("text")} for part in message["content"]]}
            for message in row["messages"]
        ]
        yield {"images": images, "messages": messages}


def _close_at_exit(reference: weakref.ref) -> None:
    pages = reference()
    if pages is not None:
        pages.close()


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
    "BAD_LISTED",
    "PdfError",
    "PdfPages",
    "PdfPlace",
    "PdfReport",
    "open_pdf",
    "pdf_dataset",
    "save_pdf_dataset",
]
