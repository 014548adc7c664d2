"""The web console in a real browser; screenshots stay in Tests/Clients/screenshots."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from chromium import NARROW, WIDE, Chromium
from gateway import Gateway, row

SCREENSHOTS = Path(__file__).parent / "screenshots"
DAYS = [3000, 1200, 600, 300, 150, 60, 20, 1]
"""Ages of the commits of the repository; each has a colour of its own."""

NARROWEST = (320, 640)
"""What a page has to fit into without scrolling sideways (WCAG 2, 1.4.10)."""

EVIL = "<img src=x onerror=\"document.title='broken'\">"


def make_aged_repository(folder: Path) -> Path:
    """A repository whose file has a few lines of each age, and names and texts that look like HTML."""
    folder.mkdir()
    now = int(time.time())

    def git(*arguments, days=0):
        date = f"{now - days * 86_400} +0000"
        identity = {"GIT_AUTHOR_NAME": f"Ada {days}", "GIT_AUTHOR_EMAIL": "ada@example.org"}
        identity |= {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_GLOBAL": "/dev/null"}
        subprocess.run(["git", *arguments], cwd=folder, env=os.environ | identity | dates, check=True)

    git("init", "--quiet", "--initial-branch=main")
    (folder / "src").mkdir()
    lines = []
    for days in DAYS:
        lines += [f"def since_{days}(value):", f"    return value * {days}", ""]
        (folder / "src/ages.py").write_text("\n".join(lines) + "\n")
        (folder / "README.md").write_text(f"# Ages\n\nThe newest function is since_{days}. {EVIL}\n")
        if days == DAYS[0]:
            (folder / "src" / f"{EVIL.replace('/', '')}.txt").write_text(EVIL * 3 + "\n")
            (folder / "logo.bin").write_bytes(bytes(range(256)))
        git("add", "--all")
        git("commit", "--quiet", "-m", f"Add since_{days} {EVIL}\n\nBody of the commit.", days=days)
    git("tag", "v1")
    return folder


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("console")
    server = Gateway(make_aged_repository(folder / "ages"), folder / "data")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def browser():
    chromium = Chromium()
    yield chromium
    chromium.close()


def enter(browser, gateway, key=None):
    """Opens the console and gives it the key, as a person does: with the keyboard."""
    browser.look()
    browser.open("about:blank")
    browser.open(gateway.url)
    browser.wait("document.activeElement?.id == 'key'")
    browser.type(key or gateway.key)
    browser.press("Enter")
    browser.wait("document.querySelector('.rows li')")


@pytest.fixture
def console(browser, gateway):
    """The console with a key, at the list of repositories. Nothing may be refused or thrown."""
    browser.log.clear()
    enter(browser, gateway)
    yield browser
    assert browser.log == []
    assert browser.run("document.title") != "broken"


def go(browser, address, condition):
    browser.run(f"location.hash = {address!r}")
    browser.wait(condition)


def text(browser, selector="main"):
    return browser.run(f"document.querySelector({selector!r}).innerText")


PALE = """(() => {
    const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const paint = (colour) => { pixel.fillStyle = colour; pixel.fillRect(0, 0, 1, 1); };
    const light = () => [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const contrast = (element) => {
        paint("white");
        const above = [];
        for (let one = element; one; one = one.parentElement) above.unshift(one);
        for (const one of above) paint(getComputedStyle(one).backgroundColor);
        const back = light();
        paint(getComputedStyle(element).color);
        const [low, high] = [back, light()].sort((left, right) => left - right);
        return (high + 0.05) / (low + 0.05);
    };
    const dialog = document.querySelector("dialog[open]");
    return [...(dialog ?? document.body).querySelectorAll("*")]
        .filter((element) => element.checkVisibility() && !element.matches(":disabled, option, .hidden, .skip"))
        .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
        .map((element) => [contrast(element), element.className, element.innerText.slice(0, 40)])
        .filter(([ratio]) => ratio < 4.5);
})()"""
"""Texts with less contrast to what is behind them than WCAG 2 asks of small letters (1.4.3)."""


def shoot(browser, name):
    """Both schemes, wide and narrow: every text can be read, and nothing sticks out of a narrow page."""
    for size, shape in [(WIDE, "wide"), (NARROW, "narrow")]:
        for scheme in ["light", "dark"]:
            browser.look(size, scheme)
            browser.screenshot(SCREENSHOTS / f"{name}-{shape}-{scheme}.png")
            assert browser.run(PALE) == [], f"{name} {shape} {scheme}"
        assert browser.run("document.documentElement.scrollWidth <= innerWidth"), f"{name} {shape}"
    browser.look(NARROWEST)
    assert browser.run("document.documentElement.scrollWidth") <= NARROWEST[0], f"{name} narrowest"
    browser.look()


def blamed(count):
    said = "document.querySelector('#status').innerText.includes(' in ')"
    return f"document.querySelectorAll('.first').length >= {count} && {said}"


def test_a_wrong_key_is_refused_and_the_page_stays(browser, gateway):
    browser.look()
    browser.open(gateway.url)
    browser.wait("document.activeElement?.id == 'key'")
    browser.type("scm_not-a-key-at-all")
    browser.press("Enter")
    browser.wait("document.querySelector('.problem').innerText.startsWith('UNAUTHENTICATED')")
    assert browser.run("document.querySelector('#key').getAttribute('aria-invalid')") == "true"
    shoot(browser, "key")


def test_the_key_is_nowhere_but_in_memory(console, gateway):
    places = """JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href,
        document.documentElement.outerHTML])"""
    assert gateway.key not in console.run(places)
    console.run("document.querySelector('#leave').click()")
    console.wait("document.querySelector('#key')")


def test_repositories_folders_and_files(console, gateway):
    shoot(console, "repositories")
    console.press("j")
    console.press("Enter")
    console.wait("document.querySelector('.readme')")
    assert EVIL in text(console, ".readme"), "HTML in a file is text"
    assert [name in text(console) for name in ["src", "README.md", "logo.bin"]] == [True] * 3
    shoot(console, "folder")
    console.run("[...document.querySelectorAll('a.row')].find((row) => row.innerText.startsWith('src')).click()")
    console.wait("document.querySelectorAll('.rows li').length == 2")
    assert EVIL.replace("/", "") in text(console, ".rows")
    console.press("u")
    console.wait("document.querySelectorAll('.rows li').length == 3")
    go(console, f"#/r/{gateway.repository_id}/file//logo.bin", "document.querySelector('.notice')")
    assert "binary" in text(console)


def test_blame_is_coloured_by_age(console, gateway):
    go(console, f"#/r/{gateway.repository_id}/file//src/ages.py", blamed(len(DAYS)))
    ages = console.run("""[...document.querySelectorAll('.line.first')].map(
        (row) => [...row.classList].find((name) => name.startsWith('age-')))""")
    assert ages == [f"age-{age}" for age in range(7, -1, -1)]
    colours = console.run(
        "[...document.querySelectorAll('.first .margin')].map((cell) => getComputedStyle(cell).borderInlineStartColor)"
    )
    assert len(set(colours)) == len(DAYS)
    assert "Ada 3000" in text(console, ".first .margin")
    for key in "jjnn":
        console.press(key)
    assert console.run("document.querySelector('[aria-selected=true]').dataset.line") == "7"
    assert "since_600" in text(console, ".blame-detail") and "line=7" in console.run("location.hash")
    shoot(console, "blame")
    console.press("Enter")
    console.wait("document.querySelector('.change')")
    assert "since_600" in text(console, "h1") and EVIL in text(console, "h1")


def test_commits_and_their_changes(console, gateway):
    go(console, f"#/r/{gateway.repository_id}/commits/", f"document.querySelectorAll('.rows li').length == {len(DAYS)}")
    shoot(console, "commits")
    console.press("j")
    console.press("Enter")
    console.wait("document.querySelectorAll('.change').length == 2")
    assert "+    return value * 1" in text(console, ".changes") and "Body of the commit." in text(console)
    shoot(console, "commit")
    go(console, f"#/r/{gateway.repository_id}/tree/v1", "document.querySelector('.readme')")
    console.wait("document.querySelector('select').selectedOptions[0].text == 'v1'")


def test_code_search(console, gateway):
    go(console, f"#/r/{gateway.repository_id}/search/", "document.activeElement?.type == 'search'")
    console.type("since_300(")
    console.press("Enter")
    console.wait("document.querySelector('.match mark')")
    assert text(console, ".match mark") == "since_300(" and "src/ages.py" in text(console, ".match")
    assert text(console, "#status") == "1 file"
    shoot(console, "search")
    console.run("document.querySelector('.match h2 a').click()")
    console.wait(blamed(len(DAYS)))
    go(
        console, f"#/r/{gateway.repository_id}/search/?q=no+such+text",
        "document.querySelector('#status').innerText == 'nothing found'"
    )


def test_the_method_explorer_calls(console, gateway):
    go(console, "#/methods", "document.querySelectorAll('.rows li').length > 40")
    assert "KeyService" not in text(console), "reflection is for administrators"
    assert "Tells which commit last touched one line" in text(console), "what the contract says of it"
    assert "`" not in text(console) and console.run("document.querySelector('.methods code').innerText") == "git log"
    shoot(console, "methods")
    service = "sentry.integrations.scm.v1.ScmService"
    go(console, f"#/methods/{service}/ListCommits", "document.querySelector('textarea')")
    assert '"repositoryId": 0' in console.run("document.querySelector('textarea').value")
    assert "\n" not in text(console, ".description"), "lines end where the page ends"
    assert "newest first" in text(console, ".description") and "Start from here" in text(console, ".fields")
    assert "`" not in text(console)
    console.run("[...document.querySelectorAll('button')].find((one) => one.innerText == 'Fill in an example').click()")
    assert '"path": "README.md"' in console.run("document.querySelector('textarea').value")
    fill(console, f'{{"repositoryId": {gateway.repository_id}, "pageSize": 1, "since": "2001-02-03T04:05:06Z"}}')
    console.wait("document.querySelector('.answer pre')")
    assert '"name": "Ada 1"' in text(console, ".answer")
    for size in [NARROW, WIDE]:
        console.look(size)
        seen = "document.querySelector('.answer pre').getBoundingClientRect().top < innerHeight - 60"
        assert console.run(seen), "who calls sees the answer without scrolling"
    shoot(console, "method")
    fill(console, '{"repositoryId": 4711}')
    console.wait("document.querySelector('.answer .error')")
    assert text(console, ".answer").startswith("NOT_FOUND")
    fill(console, '{"repositoryID": 1}')
    console.wait("document.querySelector('.answer .error')?.innerText.includes('has no field')")
    go(console, f"#/methods/{service}/BlameFile", "document.querySelector('h1')?.innerText == 'BlameFile'")
    fill(console, f'{{"repositoryId": {gateway.repository_id}, "path": "src/ages.py"}}')
    console.wait(f"document.querySelectorAll('.answer pre').length == {len(DAYS)}")


def fill(browser, request):
    browser.run(
        f"document.querySelector('textarea').value = {request!r}; document.querySelector('form.call').requestSubmit()"
    )


def test_administrators_see_everything_by_reflection(browser, gateway):
    arguments = ["--organization", str(gateway.organization_id), "--data-folder", gateway.data_folder]
    key = row("key", "add", *arguments, "--scope", "scm:admin", "--scope", "scm:read")["key"]
    enter(browser, gateway, key)
    go(browser, "#/methods", "document.querySelectorAll('h2').length > 4")
    assert all(name in text(browser) for name in ["silo.keys.v1.KeyService", "rpc.admin.v1.AdminService"])
    go(browser, "#/methods/silo.keys.v1.KeyService/ListKeys", "document.querySelector('textarea')")
    fill(browser, "{}")
    browser.wait("document.querySelector('.answer pre')?.innerText.includes('KEY_USE_BEARER')")


def test_everything_can_be_reached_with_a_keyboard_and_has_a_name(console, gateway):
    unnamed = """[...document.querySelectorAll('input, select, textarea, button, a')].filter((element) =>
        !(element.innerText?.trim() || element.ariaLabel || element.labels?.length || element.textContent.trim()))
        .map((element) => element.outerHTML)"""
    for address, condition in [
        ("#/", "document.querySelector('.rows li')"),
        (f"#/r/{gateway.repository_id}/tree/", "document.querySelector('.readme')"),
        (f"#/r/{gateway.repository_id}/file//src/ages.py", blamed(8)),
        (f"#/r/{gateway.repository_id}/search/", "document.querySelector('form')"),
        ("#/methods/sentry.integrations.scm.v1.ScmService/GetCommit", "document.querySelector('textarea')"),
    ]:
        # With its one heading: the page before may fit the condition, too.
        go(console, address, f"({condition}) && document.querySelectorAll('h1').length === 1")
        assert console.run(unnamed) == []
    console.run("document.activeElement.blur()")
    console.press("?")
    console.wait("document.querySelector('dialog').open")
    shoot(console, "help")


def test_errors_are_said(console, gateway):
    go(console, "#/r/4711/tree/", "document.querySelector('.error')")
    assert "NOT_FOUND" in text(console)
    go(console, "#/nothing", "document.querySelector('.error')?.innerText == 'there is no such page'")


def test_the_files_are_guarded(gateway):
    def get(path):
        return urllib.request.urlopen(gateway.url + path, timeout=30)

    for path, kind in [
        ("/", "text/html"), ("/console/app.js", "text/javascript"),
        ("/console/contract.binpb", "application/x-protobuf")
    ]:
        with get(path) as answer:
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-type"].startswith(kind)
    for path in ["/console/no.js", "/console/../etc/passwd", "/console/%2e%2e/x"]:
        with pytest.raises(urllib.error.HTTPError) as missing:
            get(path)
        assert missing.value.code == 404


def test_it_can_be_turned_off(gateway, tmp_path):
    server = Gateway(gateway.data_folder.parent / "ages", tmp_path / "data", "--console", "off")
    try:
        for path in ["/", "/console/"]:
            with pytest.raises(urllib.error.HTTPError) as missing:
                urllib.request.urlopen(server.url + path, timeout=30)
            assert missing.value.code == 404
    finally:
        assert server.stop() == 0
