import pytest

from digest.domain.identity import (
    abs_url,
    aliases_from,
    arxiv_id,
    biorxiv_doi,
    doi,
    openreview_id,
    title_alias,
)
from digest.domain.papers import Alias, Scheme
from tests.builders import a_listing


@pytest.mark.parametrize(
    "text",
    [
        "2203.01250",
        "2203.01250v3",
        "arXiv:2203.01250v1",
        "oai:arXiv.org:2203.01250v3",
        "https://arxiv.org/abs/2203.01250",
        "http://arxiv.org/abs/2203.01250v2",
        "https://arxiv.org/pdf/2203.01250v2.pdf",
        "https://www.arxiv.org/html/2203.01250v1",
        "https://arxiv.org/abs/2203.01250?context=cs",
        "https://huggingface.co/papers/2203.01250",
        "10.48550/arXiv.2203.01250",
        "https://doi.org/10.48550/arXiv.2203.01250",
        " 2203.01250 ",
    ],
)
def test_every_way_to_write_an_arxiv_id_is_one(text: str) -> None:
    assert arxiv_id(text) == "2203.01250"


def test_old_arxiv_ids_lose_version_and_subject_class() -> None:
    assert arxiv_id("hep-th/9901001v2") == "hep-th/9901001"
    assert arxiv_id("math.GT/0309136") == "math/0309136"
    assert arxiv_id("http://arxiv.org/abs/cond-mat/9901001v1") == "cond-mat/9901001"


@pytest.mark.parametrize(
    "text",
    ["", "2020.12345", "2203.0125", "x2203.01250", "2203.01250 and more", "2203.012501",
     "https://evil.org/arxiv.org/abs/2203.01250", "10.1038/2203.01250", "٢٢٠٣.٠١٢٥٠"],
)  # fmt: skip
def test_what_only_looks_like_an_arxiv_id_is_none(text: str) -> None:
    assert arxiv_id(text) is None


@pytest.mark.parametrize(
    "text",
    ["10.1038/s41586-020-2649-2", "doi:10.1038/S41586-020-2649-2",
     "https://doi.org/10.1038/s41586-020-2649-2", "http://dx.doi.org/10.1038%2Fs41586-020-2649-2",
     "10.1038/s41586-020-2649-2."],
)  # fmt: skip
def test_every_way_to_write_a_doi_is_one(text: str) -> None:
    assert doi(text) == "10.1038/s41586-020-2649-2"


@pytest.mark.parametrize("text", ["", "NA", "10.1/x", "11.1038/x", "10.1038/a b", '10.1038/"x"'])
def test_what_only_looks_like_a_doi_is_none(text: str) -> None:
    assert doi(text) is None


def test_preprint_doi_is_no_doi_so_that_it_never_contradicts_the_journals() -> None:
    found = aliases_from(["10.1063/1.4944470", "10.48550/arXiv.1601.00001", "arXiv:1601.00001v2"])
    assert found == (
        Alias(scheme=Scheme.ARXIV, value="1601.00001"),
        Alias(scheme=Scheme.DOI, value="10.1063/1.4944470"),
    )


def test_biorxiv_addresses_and_dois_are_one() -> None:
    expected = "10.1101/2023.01.02.522473"
    assert biorxiv_doi(expected) == expected
    page = "https://www.biorxiv.org/content/10.1101/2023.01.02.522473v2.full.pdf"
    assert biorxiv_doi(page) == expected
    assert aliases_from([page, expected]) == (Alias(scheme=Scheme.BIORXIV, value=expected),)
    assert biorxiv_doi("10.1101/gr.123456.121") is None  # a journal of the same press


def test_openreview_forum_is_found_in_its_address() -> None:
    assert openreview_id("https://openreview.net/forum?id=rJl-b3RcF7&noteId=x") == "rJl-b3RcF7"
    assert openreview_id("https://openreview.net.evil.org/forum?id=rJl-b3RcF7") is None


def test_page_of_the_abstract_is_arxivs_else_openreviews_else_the_dois() -> None:
    arxiv = Alias(scheme=Scheme.ARXIV, value="2203.01250")
    forum = Alias(scheme=Scheme.OPENREVIEW, value="rJl-b3RcF7")
    paper = Alias(scheme=Scheme.DOI, value="10.1038/x1")
    assert abs_url([paper, forum, arxiv]) == "https://arxiv.org/abs/2203.01250"
    assert abs_url([paper, forum]) == "https://openreview.net/forum?id=rJl-b3RcF7"
    assert abs_url([paper]) == "https://doi.org/10.1038/x1"
    assert abs_url([]) is None


def test_title_alias_names_title_and_first_author() -> None:
    listing = a_listing("Learning: to Wait!", authors=("Lovelace, Ada", "Alan Turing"))
    assert title_alias(listing) == ("learning to wait", "lovelace")
    assert title_alias(a_listing("Learning to Wait", authors=())) == ("learning to wait", "")


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\x9b1m", "\u2028", "\ud800", "\ue000"])
def test_a_doi_holds_nothing_that_cannot_be_seen(hidden: str) -> None:
    assert doi(f"10.1101/a{hidden}b") is None
    assert doi("10.1101/графы") == "10.1101/графы"
