"""Bytes of media come from bytes, files and data URLs, and only so many of them."""

import base64

import pytest

from casa.errors import MessageError
from casa.model.media import MediaLimits, media_bytes

LIMITS = MediaLimits()
SMALL = MediaLimits(count=2, megabytes=0.001, megapixels=0.01, megapixels_together=0.02, seconds=1.0, megasamples=0.01)


def test_bytes_files_and_data_urls_give_the_same(tmp_path):
    content = bytes(range(256))
    path = tmp_path / "medium"
    path.write_bytes(content)
    url = "data:image/png;base64," + base64.b64encode(content).decode()
    for source in (content, bytearray(content), memoryview(content), path, str(path), url):
        assert media_bytes(source, "image", LIMITS) == content


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "empty"),
        ("data:image/png;base64,", "empty"),
        ("data:image/png;base64,!!!", "base64"),
        ("data:image/png,abc", "base64"),
        ("https://example.org/x.png", "not fetched"),
        ("file:///etc/hostname", "not fetched"),
        ("/nowhere/x.png", "No such file"),
        (".", "not a file"),
        ("/dev/zero", "not a file"),
        ("a\0b", "cannot read"),
        ("x" * 5000, "cannot read"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(source, reason):
    with pytest.raises(MessageError, match=reason):
        media_bytes(source, "image", LIMITS)


@pytest.mark.parametrize("form", [bytes, "file", "url"])
def test_a_file_beyond_the_limit_is_refused_in_every_form(form, tmp_path):
    content = bytes(2000)
    path = tmp_path / "medium"
    path.write_bytes(content)
    url = "data:x;base64," + base64.b64encode(content).decode()
    with pytest.raises(MessageError, match="megabytes"):
        media_bytes({bytes: content, "file": path, "url": url}[form], "image", SMALL)


@pytest.mark.parametrize(
    ("check", "within", "beyond", "named"),
    [
        (SMALL.check_count, (2,), (3,), "count"),
        (lambda found: SMALL.check_bytes(found, "audio"), (1000,), (1001,), "megabytes"),
        (SMALL.check_pixels, (100, 100), (100, 101), "megapixels"),
        (SMALL.check_pixels_together, (20_000,), (20_001,), "megapixels_together"),
        (SMALL.check_seconds, (1.0,), (1.01,), "seconds"),
        (SMALL.check_samples, (10_000,), (10_001,), "megasamples"),
    ],
)
def test_an_error_names_its_limit(check, within, beyond, named):
    check(*within)
    with pytest.raises(MessageError, match=named):
        check(*beyond)
