"""Scripts and styles lie under their release's digest: kept for good, compressed, never mixed."""

import gzip
import re

from app.http.statics import Statics, statics
from tests.api.conftest import Site

FILES = {"js/main.js": b"import './dom.js';\n" * 50, "js/dom.js": b"export {};", "img/x.svg": b""}


def test_every_file_of_a_page_is_kept_for_good_and_comes_compressed(quick_site: Site) -> None:
    visitor = quick_site.anonymous()
    addresses = set(re.findall(r'(?:src|href)="(/static/[^"#]+)', visitor.get("/login").text))
    assert len(addresses) > 10
    addresses.add(statics().url("js/workbench/main.js"))
    for address in addresses:
        assert address.startswith(f"/static/{statics().release}/")
        answer = visitor.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"], address
        assert answer.headers["vary"] == "Accept-Encoding"
    script = statics().url("js/workbench/workbench.js")
    packed = visitor.get(script)
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"] == "text/javascript; charset=utf-8"
    assert int(packed.headers["content-length"]) < len(packed.content) / 2
    plain = visitor.get(script, headers={"Accept-Encoding": "gzip;q=0, br"})
    assert "content-encoding" not in plain.headers
    assert plain.content == packed.content
    again = visitor.get(script, headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert visitor.head(script).headers["content-length"] == packed.headers["content-length"]


def test_another_release_is_told_to_reload(quick_site: Site) -> None:
    visitor = quick_site.anonymous()
    for address in ("/static/0123456789abcdef/js/app.js", "/static/js/app.js", "/static/"):
        answer = visitor.get(address)
        assert answer.status_code == 404, address
        assert "another release" in answer.text
        assert answer.headers["cache-control"] == "no-store"
    missing = f"/static/{statics().release}/js/../../pyproject.toml"
    assert visitor.get(missing).status_code == 404
    refused = visitor.post(statics().url("js/app.js"))
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_the_release_is_what_the_files_are() -> None:
    release = Statics(FILES).release
    assert Statics(dict(reversed(FILES.items()))).release == release
    assert Statics(FILES | {"js/dom.js": b"export { };"}).release != release
    assert Statics(FILES | {"js/new.js": b""}).release != release
    renamed = {("js/dom2.js" if name == "js/dom.js" else name): FILES[name] for name in FILES}
    assert Statics(renamed).release != release
    assert gzip.decompress(Statics(FILES)._files["js/main.js"].gzipped()) == FILES["js/main.js"]
