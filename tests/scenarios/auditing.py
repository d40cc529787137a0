"""What the tests of --audit share: asking for findings, and picking out those that are meant."""
import segtest
import situations


def audit(*arguments, expect=3, **options):
    """The document of --audit; the text has the same identifiers, and does nothing to a terminal."""
    document = segtest.document("--audit", *arguments, expect=expect, **options)
    text = segtest.segmap("--audit", *arguments, **options)
    assert text.status == expect, f"as text: exit status {text.status}, not {expect}"
    situations.assert_safe(text.out)
    for finding in document["findings"]:
        assert finding["id"] in text.text, f"{finding['id']} is not in the text"
        assert finding["reason"] and finding["expected"] and finding["actual"], finding
    assert (expect == 3) == bool(serious(document)), ids(document)
    return document


def serious(document):
    """Findings that make the exit status 3."""
    return [f for f in document["findings"] if f["severity"] != "info"]


def ids(document):
    return sorted(f["id"] for f in serious(document))


def only(document, name):
    """The one finding, which is this."""
    found = serious(document)
    assert [f["id"] for f in found] == [name], f"{name} is not the one finding of {found}"
    return found[0]


def image_of(document, finding):
    """The path of the image that it is about; None: it is about none."""
    image = finding["image"]
    return None if image is None else document["images"][image]["path"]


def about(document, path):
    """The identifiers of all that is found in this file, information too."""
    return {f["id"] for f in document["findings"] if image_of(document, f) == path}
