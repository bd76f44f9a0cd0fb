"""PDF files become pictures and exactly this text; what cannot be used is named, never left out in silence."""

import math
import multiprocessing
import pickle

import datasets
import matplotlib
import pypdfium2
import pytest
from datasets.fingerprint import Hasher
from matplotlib.backends.backend_pdf import PdfPages as PdfWriter
from matplotlib.figure import Figure
from PIL import Image
from pypdf import PdfReader
from pypdf import PdfWriter as PdfEditor
from torch.utils.data import DataLoader

from nanovlms_hf.data import pdf_text, pdfs
from nanovlms_hf.data.chat_rows import CHAT_FEATURES
from nanovlms_hf.data.documents import PROMPTS
from nanovlms_hf.data.mixture_config import build_mixture
from nanovlms_hf.data.pdf_text import Word, reading_order
from nanovlms_hf.data.pdfs import PdfError, PdfPages, PdfReport, pdf_dataset, save_pdf_dataset

LEFT = ["The harbour was empty when", "we came back, and only one", "small boat lay at the quay."]
RIGHT = ["Nobody had seen the old", "ferry leave, nor had they", "heard its bell at night."]


def page(*texts, size=(5, 7)):
    """A page of (x, y, text, options), x and y in fractions from the lower left corner."""
    figure = Figure(figsize=size)
    for x, y, text, *options in texts:
        figure.text(x, y, text, **{"fontsize": 10, **(options[0] if options else {})})
    return figure


def lines(texts, x=0.1, top=0.9, step=0.03):
    return [(x, top - step * number, text) for number, text in enumerate(texts)]


def write(path, *pages, fonttype=42):
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"CreationDate": None}  # the same bytes every time
    with matplotlib.rc_context({"pdf.fonttype": fonttype}), PdfWriter(path, metadata=metadata) as writer:
        for figure in pages:
            writer.savefig(figure)
    return path


def write_objects(path, shown, font):
    """A PDF file by hand: one page that shows one string in a font, which is object 5 and those behind it."""
    stream = b"BT /F1 20 Tf 20 100 Td %s Tj ET" % shown
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<</Font<</F1 5 0 R>>>>/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        *font,
    ]
    content, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj%s endobj\n" % (number, body)
    start, count = len(content), len(objects) + 1
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\n" % (count, table, count)
    path.write_bytes(content + b"startxref\n%d\n%%%%EOF" % start)
    return path


def write_small(path, text):
    return write_objects(path, b"(%s)" % text.encode(), [b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"])


def text_of(row):
    return row["messages"][1]["content"][0]["text"]


def texts_of(folder, **options):
    pages = PdfPages(folder, **options)
    return [text_of(pages.row(index)) for index in range(pages.length)]


def read(tmp_path, *texts, **options):
    write(tmp_path / "one.pdf", page(*texts))
    return texts_of(tmp_path, **options)[0].split("\n")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))


# text -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fonttype", [3, 42])
def test_one_column(tmp_path, fonttype):
    write(
        tmp_path / "one.pdf",
        page((0.1, 0.95, "A Day at Sea", {"fontsize": 16}), *lines(LEFT + RIGHT)),
        fonttype=fonttype,
    )
    assert texts_of(tmp_path) == ["\n".join(["A Day at Sea", *LEFT, *RIGHT])]


@pytest.mark.parametrize("shift", [0, 0.013, 0.2])
def test_two_columns_are_read_left_before_right(tmp_path, shift):
    """Whether their lines stand at one height or not, and whatever is written first into the file."""
    texts = lines(RIGHT, x=0.55, top=0.88 - shift) + lines(LEFT, x=0.1, top=0.88)
    assert read(tmp_path, *texts) == LEFT + RIGHT


def test_titles_and_footers_over_two_columns(tmp_path):
    texts = [(0.5, 0.95, "What Happened in the Harbour on a Quiet Night", {"ha": "center", "fontsize": 14})]
    texts += lines(LEFT, x=0.1, top=0.9) + lines(RIGHT, x=0.55, top=0.9)
    texts += [(0.5, 0.78, "The second part, in which a good deal more is told", {"ha": "center"})]
    texts += lines(LEFT[::-1], x=0.1, top=0.74) + lines(RIGHT[:2], x=0.55, top=0.74)
    texts += [(0.5, 0.03, "17", {"ha": "center"})]
    expected = [
        texts[0][2],
        *LEFT,
        *RIGHT,
        "The second part, in which a good deal more is told",
        *LEFT[::-1],
        *RIGHT[:2],
    ]
    assert read(tmp_path, *texts) == [*expected, "17"]


def test_three_columns(tmp_path):
    columns = [[f"{name} number {n} is here" for n in range(4)] for name in ("one", "two", "six")]
    texts = [item for x, column in zip((0.02, 0.36, 0.7), columns, strict=True) for item in lines(column, x=x)]
    assert read(tmp_path, *texts) == [line for column in columns for line in column]


def test_page_number_at_the_right_comes_where_it_stands(tmp_path):
    texts = [(0.85, 0.97, "page 9"), *lines(LEFT, x=0.1), *lines(RIGHT, x=0.55), (0.85, 0.05, "over")]
    assert read(tmp_path, *texts) == ["page 9", *LEFT, *RIGHT, "over"]


def test_tables_and_lists_are_read_by_rows(tmp_path):
    rows = [("Ship", "Crew", "Tons"), ("Otter", "12", "340"), ("Heron", "7", "95")]
    table = [(0.1 + 0.3 * x, 0.9 - 0.04 * y, text) for y, row in enumerate(rows) for x, text in enumerate(row)]
    listed = [(0.1, 0.7 - 0.04 * y, sign) for y, sign in enumerate("-1•")] + lines(LEFT, x=0.14, top=0.7, step=0.04)
    expected = [" ".join(row) for row in rows] + [f"{sign} {text}" for sign, text in zip("-1•", LEFT, strict=True)]
    assert read(tmp_path, *table, *listed) == expected


def test_characters(tmp_path):
    texts = ["\ufb01ne o\ufb03ce \ufb02ags", "10\u00a0km  x²", "caf\u00e9 na\u00efve \u2013 \u20ac5", "soft\u00adly"]
    assert read(tmp_path, *lines(texts)) == ["fine office flags", "10 km x²", "café naïve – €5", "softly"]


def test_super_and_subscripts_stay_on_their_line(tmp_path):
    texts = [(0.1, 0.9, "water is H"), (0.327, 0.897, "2", {"fontsize": 6}), (0.345, 0.9, "O as all know")]
    assert read(tmp_path, *texts) == ["water is H 2 O as all know"]


def test_broken_words(tmp_path):
    texts = lines(["the har-", "bour of Saint-", "Malo was a well-", "known one, har-", "bour", "x-"])
    assert read(tmp_path, *texts) == [text for _, _, text in texts]
    joined = ["the harbour", "of Saint-", "Malo was a wellknown", "one, harbour", "x-"]
    assert read(tmp_path, *texts, join_hyphens=True) == joined


def test_text_up_the_side_comes_last(tmp_path):
    texts = [
        (0.02, 0.3, "stamp up the side", {"rotation": 90}),
        *lines(LEFT),
        (0.9, 0.3, "and down", {"rotation": 270}),
    ]
    assert read(tmp_path, *texts) == [*LEFT, "stamp up the side", "and down"]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turned_pages_are_read_as_they_are_shown(tmp_path, turn):
    path = write(tmp_path / "one.pdf", page(*lines(LEFT, x=0.1), *lines(RIGHT, x=0.55)))
    upright = texts_of(tmp_path)
    editor = PdfEditor()
    sheet = editor.add_page(PdfReader(path).pages[0])
    width, height = float(sheet.mediabox.width), float(sheet.mediabox.height)
    cos, sin = round(math.cos(math.radians(turn))), round(math.sin(math.radians(turn)))
    # turn what is drawn anticlockwise and the page clockwise: both cancel out
    shift = {0: (0, 0), 90: (height, 0), 180: (width, height), 270: (0, width)}[turn]
    sheet.add_transformation((cos, sin, -sin, cos, *shift))
    if turn % 180:
        for box in (sheet.mediabox, sheet.cropbox, sheet.trimbox, sheet.artbox, sheet.bleedbox):
            box.upper_right = (height, width)
    sheet.rotate(turn)
    editor.write(path)
    assert texts_of(tmp_path) == upright == ["\n".join(LEFT + RIGHT)]
    assert PdfPages(tmp_path).row(0)["images"][0].size == (480, 672)


def test_text_outside_the_page_is_not_read(tmp_path):
    assert read(tmp_path, *lines(LEFT), (1.2, 0.5, "outside"), (0.1, -0.2, "below")) == LEFT


def test_reading_order_of_nothing_and_of_one_word():
    assert reading_order([]) == []
    word = Word(0, 10, 0, 5, "alone")
    assert reading_order([word]) == [[word]]


# what opening a folder costs -------------------------------------------------------------------------------------------


def test_opening_a_folder_reads_no_page(tmp_path, monkeypatch):
    for number in range(3):
        write(tmp_path / f"{number}.pdf", *(page(*lines([f"leaf {n} of {number}"])) for n in range(4)))
    read = []
    real = pypdfium2.PdfDocument.get_page
    monkeypatch.setattr(pypdfium2.PdfDocument, "get_page", lambda self, at: read.append(at) or real(self, at))
    pages = PdfPages(tmp_path, image_size=16)
    assert len(pages) == 12 and not read
    assert [pages.place(at) for at in (0, 3, 4, 11)] == [("0.pdf", 0), ("0.pdf", 3), ("1.pdf", 0), ("2.pdf", 3)]
    assert text_of(pages.row(6)) == "leaf 2 of 1" and read == [2]
    for at in (-1, 12):
        with pytest.raises(IndexError, match=f"page {at} was asked of a folder of 12 pages"):
            pages.row(at)


def test_what_is_kept_of_a_folder_grows_with_files_not_with_pages(tmp_path):
    def kept(pages_a_file):
        write(tmp_path / "one.pdf", *(page(*lines([f"leaf {n}"])) for n in range(pages_a_file)))
        return len(pickle.dumps(PdfPages(tmp_path, image_size=16)))

    assert abs(kept(40) - kept(2)) < 16


def test_a_copy_of_the_index_is_the_same_in_another_process(tmp_path):
    write_small(tmp_path / "one.pdf", "one")
    pages = PdfPages(tmp_path, image_size=16)
    before = Hasher.hash(pages)
    pages._process += 1  # as it is in another process: the cache of `datasets` must know the table there
    assert Hasher.hash(pages) == before


def mixed_folder(folder):
    """Twenty files of one page, every third of them without text."""
    for number in range(20):
        if number % 3:
            write_small(folder / f"{number:02}.pdf", f"file {number}")
        else:
            scan(folder / f"{number:02}.pdf")
    return folder


def test_another_page_stands_in_for_a_bad_one_whoever_asks(tmp_path):
    options = {"image_size": 16, "on_bad": "report", "seed": 3}
    pages = PdfPages(mixed_folder(tmp_path), **options)
    texts = [text_of(pages.row(index)) for index in range(20)]
    assert all(texts[index] == f"file {index}" for index in range(20) if index % 3)
    instead = [texts[index] for index in range(0, 20, 3)]
    assert len(set(instead)) > 3 and set(instead) <= {f"file {number}" for number in range(20) if number % 3}
    backwards = PdfPages(tmp_path, **options)
    assert [text_of(backwards.row(index)) for index in reversed(range(20))] == texts[::-1]
    assert [text_of(PdfPages(tmp_path, **options | {"seed": 4}).row(index)) for index in range(0, 20, 3)] != instead


def test_one_page_that_can_be_used_stands_in_for_all(tmp_path):
    for number in range(6):
        write_small(tmp_path / "5.pdf", "alone") if number == 5 else scan(tmp_path / f"{number}.pdf")
    pages = PdfPages(tmp_path, image_size=16, on_bad="report")
    assert [text_of(pages.row(index)) for index in range(6)] == ["alone"] * 6


def test_a_mixture_with_bad_pages_is_the_same_for_any_number_of_workers(tmp_path):
    options = {"folder": str(mixed_folder(tmp_path)), "validation_fraction": 0, "test_fraction": 0, "on_bad": "report"}
    entries = [{"name": "pdf", "weight": 1, "pdfs": options}]

    def read(workers):
        mixture = build_mixture(entries, split="train", seed=1, length=24, image_size=16)
        fork = multiprocessing.get_context("fork") if workers else None
        loader = DataLoader(mixture, num_workers=workers, collate_fn=all_texts, multiprocessing_context=fork)
        return [text for batch in loader for text in batch]

    assert read(0) == read(1) == read(2)


def test_bad_pages_are_logged_a_few_times(tmp_path, caplog):
    pages = PdfPages(mixed_folder(tmp_path), image_size=16, on_bad="report")
    for index in range(0, 20, 3):
        pages.row(index)
    assert len(caplog.messages) == 5 and "00.pdf', page 1, has no text" in caplog.messages[0]
    assert "further ones are not logged" in caplog.messages[-1]


def test_a_report_lists_the_first_and_counts_all():
    report = PdfReport(files=1, pages=7)
    for number in range(pdfs.BAD_LISTED + 5):
        report.add(f"page {number}")
    assert len(report.bad) == pdfs.BAD_LISTED and report.left_out == pdfs.BAD_LISTED + 5
    assert report.sentence().endswith(f"- page {pdfs.BAD_LISTED - 1}\n- and 5 more")


# pictures and rows ----------------------------------------------------------------------------------------------------


def test_row(tmp_path):
    write(tmp_path / "a" / "two.PDF", page(*lines(LEFT)), page(*lines(RIGHT)))
    write(tmp_path / "one.pdf", page(*lines(["one"])))
    pages = PdfPages(tmp_path, image_size=64, paraphrases=False)
    assert (
        pages.length == len(pages) == 3
        and pages.report.sentence() == "3 pages of 2 PDF files, 0 files or pages left out"
    )
    rows = [pages.row(index) for index in range(3)]
    assert [(row["file"], row["page"]) for row in rows] == [("a/two.PDF", 1), ("a/two.PDF", 2), ("one.pdf", 1)]
    assert [text_of(row) for row in rows] == ["\n".join(LEFT), "\n".join(RIGHT), "one"]
    prompt = {"type": "text", "text": "Provide the OCR results of this image."}
    assert rows[0]["messages"][0] == {"role": "user", "content": [{"type": "image"}, prompt]}
    assert [(p.mode, p.size) for row in rows for p in row["images"]] == [("RGB", (64, 64))] * 3


def test_picture_shows_the_page(tmp_path):
    figure = page((0.1, 0.1, "x"), size=(4, 2))
    figure.patches.append(matplotlib.patches.Rectangle((0, 0.5), 0.5, 0.5, color="red", transform=figure.transFigure))
    write(tmp_path / "one.pdf", figure)
    square = PdfPages(tmp_path, image_size=100).row(0)["images"][0]
    assert [square.getpixel(at) for at in ((10, 10), (40, 40), (60, 10), (10, 60))] == [(255, 0, 0)] * 2 + [
        (255,) * 3
    ] * 2
    assert PdfPages(tmp_path).row(0)["images"][0].size == (384, 192)  # 96 pixels an inch
    assert PdfPages(tmp_path, dpi=36).row(0)["images"][0].size == (144, 72)


def test_prompts_are_drawn_by_seed_file_and_page(tmp_path):
    write(tmp_path / "one.pdf", *(page((0.1, 0.5, f"page {n}")) for n in range(12)))

    def prompts(seed):
        pages = PdfPages(tmp_path, image_size=16, seed=seed)
        return [pages.row(i)["messages"][0]["content"][1]["text"] for i in range(12)]

    assert prompts(0) == prompts(0) != prompts(1)
    assert len(set(prompts(0))) > 4 and set(prompts(0)) <= set(PROMPTS["ocr"])


def test_only_a_few_files_are_open(tmp_path):
    for number in range(7):
        write_small(tmp_path / f"{number}.pdf", f"file {number}")
    pages = PdfPages(tmp_path, image_size=16)
    assert len(pages._open) == 0
    order = [3, 0, 6, 1, 5, 2, 4, 3]
    assert [text_of(pages.row(i)) for i in order] == [f"file {i}" for i in order] and len(pages._open) == 4
    assert text_of(pickle.loads(pickle.dumps(pages)).row(2)) == "file 2"


def test_workers_open_the_files_themselves(tmp_path):
    write(tmp_path / "one.pdf", *(page(*lines([f"page {n}", *LEFT])) for n in range(8)))
    write(tmp_path / "two.pdf", *(page(*lines([f"leaf {n}", *RIGHT])) for n in range(8)))
    pages = PdfPages(tmp_path, image_size=16)
    expected = [text_of(pages.row(i)) for i in range(16)]  # the files are open when the workers start
    fork = multiprocessing.get_context("fork")
    loader = DataLoader(Rows(pages), num_workers=2, batch_size=2, collate_fn=all_texts, multiprocessing_context=fork)
    assert [text for batch in loader for text in batch] == expected


class Rows:
    def __init__(self, pages):
        self.pages = pages

    def __len__(self):
        return len(self.pages)

    def __getitem__(self, index):
        return self.pages.row(index)


def all_texts(rows):
    return [text_of(row) for row in rows]


# splits ---------------------------------------------------------------------------------------------------------------


def test_splits_go_by_the_content_of_files(tmp_path):
    for number in range(30):
        write_small(tmp_path / f"{number}.pdf", f"file {number}")
    options = {"image_size": 16, "validation_fraction": 0.3, "test_fraction": 0.2}
    parts = {split: texts_of(tmp_path, split=split, **options) for split in pdfs.SPLITS}
    assert sorted(sum(parts.values(), [])) == sorted(texts_of(tmp_path, image_size=16))
    assert all(len(part) > 1 for part in parts.values()) and len(parts["train"]) > 8
    for number in range(30):  # copies under other names follow
        (tmp_path / f"{number}.pdf").rename(tmp_path / f"renamed {29 - number}.pdf")
    assert {split: sorted(texts_of(tmp_path, split=split, **options)) for split in pdfs.SPLITS} == {
        split: sorted(part) for split, part in parts.items()
    }


def test_a_split_without_files(tmp_path):
    write(tmp_path / "one.pdf", page(*lines(LEFT)))
    with pytest.raises(
        PdfError, match="none of the 1 PDF files in '.*' falls to the split 'validation': add files, or raise"
    ):
        PdfPages(tmp_path, split="validation", validation_fraction=0.0)


# bad files ------------------------------------------------------------------------------------------------------------


def scan(path):
    Image.new("RGB", (100, 140), "white").save(path)
    return path


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def encrypt(path, **options):
    editor = PdfEditor(clone_from=path)
    editor.encrypt("secret", algorithm="RC4-128", **options)
    editor.write(path)
    return path


def unmapped_font(path):
    """A page in a font that draws glyphs without saying which characters they are."""
    font = [
        b"<</Type/Font/Subtype/Type0/BaseFont/Secret/Encoding/Identity-H/DescendantFonts[6 0 R]>>",
        b"<</Type/Font/Subtype/CIDFontType2/BaseFont/Secret/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
        b"/FontDescriptor 7 0 R/DW 600>>",
        b"<</Type/FontDescriptor/FontName/Secret/Flags 4/FontBBox[0 0 1000 1000]/ItalicAngle 0/Ascent 800/Descent -200>>",
    ]
    return write_objects(path, b"<0001000200030004>", font)


BAD = {
    "scan": (scan, r"bad.pdf', page 1, has no text, as a scan has none: run OCR over it first, or leave it out\.$"),
    "blank": (lambda path: write(path, page()), r"bad.pdf', page 1, has no text, as a scan has none: run OCR over it"),
    "encrypted": (
        lambda path: encrypt(write(path, page(*lines(LEFT)))),
        r"bad.pdf' is encrypted and needs a password: save a copy without encryption, such as with `qpdf --decrypt",
    ),
    "cut in half": (
        lambda path: cut(write(path, page(*lines(LEFT))), 0.5),
        r"bad.pdf' is cut off \(its end mark %%EOF is missing\): get the whole file, or leave it out\.$",
    ),
    "cut at the end": (lambda path: cut(write(path, page(*lines(LEFT))), 0.99), r"bad.pdf' is cut off"),
    "empty": (lambda path: path.write_bytes(b""), r"bad.pdf' is empty: get it again, or leave it out\.$"),
    "another kind": (
        lambda path: path.write_text("<html>not found</html>"),
        r"bad.pdf' is no PDF file \(it does not begin with %PDF-\): get it again, or leave it out\.$",
    ),
    "hollow": (
        lambda path: path.write_bytes(b"%PDF-1.7\nnothing\n%%EOF"),
        r"bad.pdf' is damaged or cut off and cannot be opened: get it again, or leave it out\.$",
    ),
    "unmapped": (
        unmapped_font,
        r"bad.pdf', page 1, does not say which characters \d+ of its \d+ glyphs are \(a font without a ToUnicode table\): export",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_raise_one_sentence(tmp_path, kind):
    make, sentence = BAD[kind]
    make(tmp_path / "bad.pdf")
    for read_all in (PdfPages.check, lambda pages: pages.row(0), lambda pages: list(pages.rows())):
        with pytest.raises(PdfError, match=sentence) as error:
            read_all(PdfPages(tmp_path))
        assert "\n" not in str(error.value)


def test_bad_files_are_listed_when_asked_for(tmp_path, capsys):
    for kind, (make, _) in BAD.items():
        (tmp_path / kind).mkdir()
        make(tmp_path / kind / "bad.pdf")
    write(tmp_path / "good.pdf", page(*lines(LEFT)), page(), page(*lines(RIGHT)))
    pages = PdfPages(tmp_path, on_bad="report")
    opened = pages.report
    assert (opened.files, opened.pages, len(opened.bad)) == (
        4,
        6,
        len(BAD) - 3,
    )  # three of them open, but have no text
    assert capsys.readouterr().out == opened.sentence() + "\n"
    assert [text_of(row) for row in pages.rows()] == ["\n".join(LEFT), "\n".join(RIGHT)]
    assert [row["page"] for row in pages.rows()] == [1, 3]
    report = pages.check()
    assert (report.files, report.pages, len(report.bad)) == (4, 2, len(BAD) + 1)
    assert capsys.readouterr().out == report.sentence() + "\n"
    assert report.sentence().startswith(f"2 pages of 4 PDF files, {len(BAD) + 1} files or pages left out:\n- '")
    assert sum("good.pdf', page 2, has no text" in sentence for sentence in report.bad) == 1


def test_nothing_left(tmp_path):
    scan(tmp_path / "one.pdf")
    with pytest.raises(
        PdfError, match="no page in '.*' can be used, the first reason: '.*one.pdf', page 1, has no text"
    ):
        PdfPages(tmp_path, on_bad="report").check()
    with pytest.raises(
        PdfError, match="no page in '.*' can be used, of 1 that were tried; the first reason: '.*one.pdf', page 1"
    ):
        PdfPages(tmp_path, on_bad="report").row(0)
    cut(tmp_path / "one.pdf", 0.5)
    with pytest.raises(PdfError, match="no file in '.*' can be used, the first reason: '.*one.pdf' is cut off"):
        PdfPages(tmp_path, on_bad="report")
    (tmp_path / "one.pdf").unlink()
    with pytest.raises(PdfError, match="'.*' holds no PDF file: name a folder with files that end in .pdf."):
        PdfPages(tmp_path)
    with pytest.raises(
        FileNotFoundError, match="there is no folder '.*none': give the path of a folder with PDF files."
    ):
        PdfPages(tmp_path / "none")


def test_a_file_that_opens_without_a_password_is_read(tmp_path):
    write(tmp_path / "one.pdf", page(*lines(LEFT)))
    editor = PdfEditor(clone_from=tmp_path / "one.pdf")
    editor.encrypt("", "owner", algorithm="RC4-128")
    editor.write(tmp_path / "one.pdf")
    assert texts_of(tmp_path) == ["\n".join(LEFT)]


def test_too_much_text_and_too_large_pages(tmp_path):
    write(tmp_path / "one.pdf", page(*lines(LEFT)))
    with pytest.raises(
        PdfError, match="page 1, has 81 characters of text, more than max_characters=50: raise that, or leave"
    ):
        PdfPages(tmp_path, max_characters=50).row(0)
    write(tmp_path / "one.pdf", page((0.1, 0.1, "x", {"fontsize": 5}), size=(190, 0.2)))
    with pytest.raises(
        PdfError, match=r"page 1, measures 13680 x 14.4 points, at this size a picture of \d+ pixels; expected"
    ):
        PdfPages(tmp_path, image_size=1024).check()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"split": "dev"}, "split='dev' is unknown; choose one of None, train, validation, test."),
        ({"task": "markdown"}, "task='markdown' is unknown; choose one of ocr."),
        ({"on_bad": "skip"}, "on_bad='skip' is unknown; choose one of raise, report."),
        ({"image_size": 0}, "image_size=0 cannot be; expected a whole number of at least 1, or none."),
        ({"max_characters": 1.5}, "max_characters=1.5 cannot be; expected a whole number of at least 1, or none."),
        ({"dpi": 0}, "dpi=0 cannot be; expected a number above 0, up to 2400."),
        ({"test_fraction": 0.99}, "validation_fraction=0.05 and test_fraction=0.99 leave nothing for training"),
    ],
)
def test_bad_options(tmp_path, options, sentence):
    with pytest.raises(ValueError) as error:
        PdfPages(tmp_path, **options)
    assert str(error.value).startswith(sentence)


# tables and mixtures --------------------------------------------------------------------------------------------------


def test_pdf_dataset(tmp_path):
    write(tmp_path / "pdf" / "one.pdf", page(*lines(LEFT)), page(*lines(RIGHT)))
    table = pdf_dataset(tmp_path / "pdf", image_size=32)
    pages = PdfPages(tmp_path / "pdf", image_size=32)
    assert table.features == CHAT_FEATURES and len(table) == 2
    for index in range(2):
        row = pages.row(index)
        assert text_of(table[index]) == text_of(row)
        assert table[index]["images"][0].tobytes() == row["images"][0].tobytes()
    write(tmp_path / "pdf" / "one.pdf", page(*lines(["another"])))
    assert [text_of(row) for row in pdf_dataset(tmp_path / "pdf", image_size=32)] == ["another"]  # not the old table


def test_save_pdf_dataset(tmp_path, capsys):
    write(tmp_path / "pdf" / "one.pdf", page(*lines(LEFT)), page())
    with pytest.raises(PdfError, match="page 2, has no text"):
        save_pdf_dataset(tmp_path / "pdf", tmp_path / "table", image_size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["pdf"]
    report = save_pdf_dataset(tmp_path / "pdf", tmp_path / "table", image_size=32, on_bad="report")
    assert report.pages == 1 and sorted(path.name for path in tmp_path.iterdir()) == ["pdf", "table"]
    assert [text_of(row) for row in datasets.load_from_disk(tmp_path / "table")] == ["\n".join(LEFT)]
    with pytest.raises(FileExistsError, match="'.*table' exists: name a folder that does not, or remove it."):
        save_pdf_dataset(tmp_path / "pdf", tmp_path / "table")


def test_a_failure_in_the_middle_leaves_nothing(tmp_path, monkeypatch):
    write(tmp_path / "pdf" / "one.pdf", page(*lines(LEFT)), page(*lines(RIGHT)))
    monkeypatch.setattr(PdfPages, "_picture", lambda *_: 1 / 0)
    with pytest.raises(datasets.exceptions.DatasetGenerationError):
        save_pdf_dataset(tmp_path / "pdf", tmp_path / "table")
    assert [path.name for path in tmp_path.iterdir()] == ["pdf"]


def test_in_a_mixture(tmp_path):
    write(tmp_path / "one.pdf", *(page(*lines([f"page {n}"])) for n in range(3)))
    options = {"folder": str(tmp_path), "validation_fraction": 0.0, "test_fraction": 0.0}
    settings = {"split": "train", "seed": 0, "length": 6, "image_size": 32}
    rows = list(build_mixture([{"name": "pdf", "weight": 1, "pdfs": options}], **settings))
    assert sorted(text_of(row) for row in rows[:3]) == ["page 0", "page 1", "page 2"]
    assert rows[0]["part"] == "pdf" and rows[0]["file"] == "one.pdf" and rows[0]["images"][0].size == (32, 32)
    for wrong, sentence in {
        "foldr": r"pdfs has the unknown option 'foldr'; did you mean 'folder'\?",
        "seed": "pdfs has the unknown option 'seed'",
    }.items():
        with pytest.raises(ValueError, match=f"mixture part 'pdf': {sentence}"):
            build_mixture([{"name": "pdf", "weight": 1, "pdfs": {wrong: 1}}], **settings)
    with pytest.raises(
        ValueError, match="mixture part 'pdf': pdfs has folder=None; expected the path of a folder with PDF"
    ):
        build_mixture([{"name": "pdf", "weight": 1, "pdfs": None}], **settings)


def test_broken_surrogates_cannot_reach_a_table():
    run = [pdf_text._Character(text, 0, 1, 0, 10, 0) for text in ("\ud835", "\udc00", "x", "\ud835")]
    assert pdf_text._text(run) == "\U0001d400x\ufffd"
