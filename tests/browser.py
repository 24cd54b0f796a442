"""The real app as a process of its own, and a real browser to look at it with.

Fixtures (loaded by `conftest.py`): `app_server` runs for the whole session, `page` is a new tab of a browser that can
reach nothing else; `other_app` starts further servers, to be killed and started again, `other_page` is a tab for them;
`stock` is what a used app holds: images with names that attack, trainings, a prediction. Checks for any page:
`check_accessible` and `check_focus_ring`, or both on one visit with `check_for_everyone`, in a `page_for_axe`.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from drawing import write_cells
from trained import SMALL_NETWORK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from coverslip.workspace.store.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "src" / "coverslip" / "app" / "static" / "index.html"
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CHROME_ON_A_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_SIZE = {"width": 1280, "height": 800}
_SECONDS_TO_START = 60  # a busy machine; two are usual
_SECONDS = 60  # that tests wait for a page or an answer on a busy machine; one is usual
_JOB_SECONDS = 240  # that a job may take: a training, a prediction, an evaluation, a study, a measurement
JOB_MS = 1000 * _JOB_SECONDS
_MOST_TABS = 300
STREAM = "**/api/v1/events*"


@dataclass
class RunningApp:
    """`coverslip app` on a workspace of its own; `root` is the folder whose images it may read."""

    workspace: Path
    root: Path
    options: tuple[str, ...] = ()
    opens_browser: bool = False
    process: subprocess.Popen[str] | None = field(default=None, init=False)
    address: str = field(default="", init=False)  # ends with a slash
    printed: str = field(default="", init=False)

    def start(self) -> "RunningApp":
        """Start it, and wait until it answers."""
        port = self.address.rstrip("/").rpartition(":")[2] or "0"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "coverslip", "app", "--port", port),
                *("--workspace", str(self.workspace), "--root", str(self.root), *self.options),
                *(() if self.opens_browser else ("--no-browser",)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=(self.workspace.parent / "printed.txt").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        until = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < until and self.process.poll() is None:
            self.printed = (self.workspace.parent / "printed.txt").read_text()
            if "Ctrl-C" in self.printed:
                address = next(word for word in self.printed.split() if word.startswith("http://"))
                self.address = address.partition("?")[0]
                return self
            time.sleep(0.05)
        raise AssertionError(f"the app did not start: {self.printed}")

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        """End it, by Ctrl-C or otherwise; its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(90)
        self.printed = (self.workspace.parent / "printed.txt").read_text()
        return code

    def get(self, path: str) -> Any:  # Any: JSON
        """The JSON at an address of the API, such as `system`."""
        with urllib.request.urlopen(f"{self.address}api/v1/{path}", timeout=_SECONDS) as answer:
            return json.load(answer)

    def send(self, path: str, body: object = None, method: str = "POST") -> Any:  # Any: JSON
        """The JSON that comes back, if any, for a body, which is sent as JSON or, if it is bytes, as it is."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        request = urllib.request.Request(f"{self.address}api/v1/{path}", data, {"Content-Type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error

    def until(self, path: str, is_so: Callable[[Any], Any], seconds: float = _SECONDS) -> Any:
        """The JSON at an address of the API as soon as it is as wanted."""
        end, pause = time.monotonic() + seconds, 0.01
        while not is_so(body := self.get(path)):
            assert time.monotonic() < end, f"waited too long for {path}: {body}"
            time.sleep(pause)
            pause = min(2 * pause, 0.1)
        return body

    def opened(self, *sources: Path, **how: Any) -> Any:
        """A dataset that has been read."""
        made = self.send("datasets", {"sources": [{"path": str(source)} for source in sources], **how})
        return self.until(f"datasets/{made['id']}", lambda dataset: dataset["state"] != "reading", _JOB_SECONDS)

    def ended(self, path: str) -> Any:
        """A training or prediction that came to its end."""
        going = ("queued", "starting", "running", "stopping")
        return self.until(path, lambda job: job["state"] not in going, _JOB_SECONDS)

    def trained(
        self, dataset_id: str, recipe: dict[str, Any], name: str | None = None, *, with_report: bool = False
    ) -> str:
        """A training that is done, but by this process; its id."""
        from small_workspace import trained_here

        with self._own_workspace() as workspace:
            return trained_here(workspace, dataset_id, recipe, name, with_report=with_report)

    def predicted(self, run: str, dataset_id: str) -> str:
        """The same of a prediction."""
        from small_workspace import predicted_here

        with self._own_workspace() as workspace:
            return predicted_here(workspace, run, dataset_id)

    def exported(self, run: str) -> str:
        """The same of an export."""
        from small_workspace import exported_here

        with self._own_workspace() as workspace:
            return exported_here(workspace, run, "onnx")

    @contextmanager
    def _own_workspace(self) -> "Iterator[Workspace]":
        from coverslip.workspace.store.workspace import open_workspace

        workspace = open_workspace(self.workspace, (self.root,))
        yield workspace
        workspace.engine.dispose()

    def raw(self, request: str) -> str:
        """The answer to a request written by hand, lines parted by \\n; `HOST` stands for the app's own."""
        host, _, port = self.address.removeprefix("http://").rstrip("/").rpartition(":")
        text = request.replace("HOST", f"{host}:{port}").replace("\n", "\r\n") + "\r\nConnection: close\r\n\r\n"
        with socket.create_connection((host, int(port)), timeout=_SECONDS) as connection:
            connection.sendall(text.encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory, own_cache: None) -> Iterator[RunningApp]:
    """One app for all tests that change nothing which others count on."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "images").mkdir()
    app = RunningApp(folder / "workspace", folder / "images").start()
    yield app
    app.end()


@pytest.fixture
def other_app(tmp_path: Path) -> Iterator[Callable[..., RunningApp]]:
    """Start an app of one's own: `other_app()`, or `other_app(root=FOLDER, options=(...))`. It ends with the test."""
    started: list[RunningApp] = []

    def start(*, root: Path = tmp_path, options: tuple[str, ...] = (), opens_browser: bool = False) -> RunningApp:
        folder = tmp_path / f"app{len(started)}"
        folder.mkdir()
        started.append(RunningApp(folder / "workspace", root, options, opens_browser))
        return started[-1].start()

    yield start
    for app in started:
        app.end(signal.SIGKILL)


@pytest.fixture(scope="session")
def sample_images(app_server: RunningApp) -> Path:
    """coverslip's own sample images, fewer of them, where the app may read them."""
    from coverslip.synthetic_cells import write_sample_images

    return write_sample_images(app_server.root / "samples", n_images=140).folder


SCRIPT_CLASS = "<script>alert(1)<script>"  # a folder can't be called </script>
IMAGE_CLASS = "<img src=x onerror=alert(1)>"
LONG_CLASS = "a very long class name that somebody chose to say it all " + "and more " * 15 + "end"
QUICK = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 32, "tta": 1, "split": {"folds": 0}}
FINETUNE = {**QUICK, "stage": "finetune", "epochs": 3, "batch_size": 8, "patience": None}


@dataclass(frozen=True)
class Stock:
    """What a used app holds, by its ids."""

    app: RunningApp
    images: str  # from two folders, grouped by slide
    unlabeled: str
    run: str  # fine-tuned
    folds: str  # instant, with folds
    prediction: str
    study: str  # of two networks


@pytest.fixture(scope="session")
def stock(app_server: RunningApp) -> Stock:
    """Two small trainings on images of three classes that no page may take for HTML, a study and a prediction.

    They are made without an app, which would begin the jobs itself; it forgets what it had.
    """
    app_server.end()
    shutil.rmtree(app_server.workspace)
    ids = _fill_workspace(app_server)
    return Stock(app_server.start(), **ids)


def _fill_workspace(app: RunningApp) -> dict[str, str]:
    from small_workspace import open_images, predicted_here, studied_here, trained_here

    from coverslip.workspace.store.workspace import open_workspace
    from coverslip.workspace.studies.planning import StudyChoices, outlook

    classes, root = (SCRIPT_CLASS, IMAGE_CLASS, LONG_CLASS), app.root
    here = write_cells(root / "first clinic", 60, classes=classes)
    there = write_cells(root / "second clinic", 30, classes=classes, seed=1)
    new = write_cells(root / "new", 12, is_sorted=False, seed=2)
    (new / "cut off.png").write_bytes((new / "slide0_000.png").read_bytes()[:120])
    workspace = open_workspace(app.workspace, (root,))
    images = open_images(workspace, here, there, group_pattern=r"slide\d+", name="Cells of two clinics")
    plain = open_images(workspace, new, is_labeled=False)
    run = trained_here(workspace, images, FINETUNE, "Fine-tuned", with_report=True)
    folds = trained_here(workspace, images, {**QUICK, "split": {"folds": 3}}, "In three folds", with_report=True)
    choices = StudyChoices(preset="aimic", dataset_ids=(images,), is_small=True)
    choices = choices.model_copy(update={"plan": tiny_plan(outlook(workspace, choices).plan_text)})
    study = studied_here(workspace, choices, "Two networks")
    prediction = predicted_here(workspace, run, plain)
    workspace.engine.dispose()
    return {"images": images, "unlabeled": plain, "run": run, "folds": folds, "prediction": prediction, "study": study}


def tiny_plan(text: str) -> str:
    """A preset's plan as somebody would change it: two instant classifiers, one split."""
    import yaml

    models = [SMALL_NETWORK, {"name": "smaller images", "recipe": {"model": SMALL_NETWORK, "image_size": 24}}]
    recipe = {"image_size": 32, "tta": 1, "stage": "instant"}
    changes = {"models": models, "arms": [], "folds": 0, "train_per_class": [None], "baseline": None, "recipe": recipe}
    return yaml.safe_dump({**yaml.safe_load(text), **changes})


def chromium() -> str | None:
    """The browser's program; None where there is none."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    return program or (str(_CHROME_ON_A_MAC) if _CHROME_ON_A_MAC.exists() else None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Fail before the first test if tests in a browser are selected and cannot run; a skip would hide them all."""
    if session.config.option.collectonly or not any("browser" in getattr(i, "fixturenames", ()) for i in session.items):
        return
    if not PAGES.exists():
        session.shouldfail = "The pages of the app are not built. Run: make pages"
    elif chromium() is None:
        session.shouldfail = "Chromium is not installed. Run: .ci/programs"
    if session.shouldfail:  # workers pass it on to the main process
        raise session.Failed(session.shouldfail)


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Chromium, to which the rest of the world does not exist."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=1000 * _SECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield browser
        browser.close()


def _new_context(browser: "Browser", app: RunningApp, *, bypass_csp: bool = False) -> "BrowserContext":
    context = browser.new_context(base_url=app.address, viewport=_SIZE, reduced_motion="reduce", bypass_csp=bypass_csp)
    context.set_default_timeout(1000 * _SECONDS)
    return context


@pytest.fixture(scope="session")
def context(browser: "Browser", app_server: RunningApp) -> "Iterator[BrowserContext]":
    """One profile for all tests: starting one for each would take most of the time."""
    context = _new_context(browser, app_server)
    yield context
    context.close()


@pytest.fixture(scope="session")
def context_for_axe(browser: "Browser", app_server: RunningApp) -> "Iterator[BrowserContext]":
    """The same without the app's policy: axe works inside the page, which the policy forbids."""
    context = _new_context(browser, app_server, bypass_csp=True)
    yield context
    context.close()


@dataclass
class Seen:
    """The requests and errors of a page during a test."""

    app_address: str  # the app's address
    foreign: list[str] = field(default_factory=list)  # requests to other hosts
    errors: list[str] = field(default_factory=list)  # of scripts, and what the policy refused

    def watch(self, page: "Page") -> None:
        page.on("request", lambda request: self._note_request(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        # A failed request is the page's to show, and the test's to expect.
        page.on(
            "console",
            lambda message: (
                self.errors.append(message.text)
                if message.type == "error" and not message.text.startswith("Failed to load resource")
                else None
            ),
        )

    def _note_request(self, url: str) -> None:
        if not url.startswith((self.app_address, "blob:", "data:", "about:")):
            self.foreign.append(url)


@contextmanager
def _tab(context: "BrowserContext", app: RunningApp) -> "Iterator[Page]":
    page = context.new_page()
    seen = Seen(app.address)
    seen.watch(page)
    yield page
    page.close()
    assert seen.foreign == [], "requests left the machine"
    assert seen.errors == []


@pytest.fixture
def page(context: "BrowserContext", app_server: RunningApp) -> "Iterator[Page]":
    """A tab. After the test: it asked nobody else for anything, and no script failed."""
    with _tab(context, app_server) as page:
        yield page


@pytest.fixture
def page_for_axe(context_for_axe: "BrowserContext", app_server: RunningApp) -> "Iterator[Page]":
    """A tab in which axe can work. After the test: as for `page`."""
    with _tab(context_for_axe, app_server) as page:
        yield page


@pytest.fixture
def other_page(browser: "Browser") -> "Iterator[Callable[[RunningApp], Page]]":
    """Open a tab of its own on an app of one's own. After the test: as for `page`."""
    opened: list[tuple[BrowserContext, Seen]] = []

    def open_tab(app: RunningApp) -> "Page":
        context = _new_context(browser, app)
        opened.append((context, Seen(app.address)))
        page = context.new_page()
        opened[-1][1].watch(page)
        return page

    yield open_tab
    for context, seen in opened:
        context.close()
        assert seen.foreign == [], "requests left the machine"
        assert seen.errors == []


def use_no_worker(page: "Page") -> None:
    """Let the pages follow without a SharedWorker, whose request Playwright waits for in vain ("networkidle")."""
    page.add_init_script("delete globalThis.SharedWorker")


def open_page(page: "Page", path: str) -> None:
    """Go to a page of the app, and wait until it says what it is."""
    page.goto(path)
    page.locator("main h1").first.wait_for()


def drop(page: "Page", *paths: Path) -> None:
    """Drag files and folders from the desktop over the page, and drop them in its middle."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 640, "y": 400, "data": data})


def send_stories(page: "Page", job_id: str, *stories: dict[str, Any]) -> None:  # Any: JSON values
    """Let a page receive these states of a job in place of the server's messages, again and again."""
    page.add_init_script("delete window.SharedWorker")  # its requests are not those of the page
    messages = [{"number": "1-1", "topics": [], "jobs": {job_id: story}} for story in stories]
    body = "".join(f"data: {json.dumps(message)}\n\n" for message in messages)
    page.route(STREAM, lambda route: route.fulfill(body=body, content_type="text/event-stream"))


def check_for_everyone(page: "Page", path: str, prepare: "Callable[[Page], None] | None" = None) -> list[str]:
    """One visit: one title, axe content in light and dark, and whatever has the focus shows it.

    Args:
        page: a `page_for_axe`.
        path: of the page in the app.
        prepare: brings the page into the state to test, such as an open dialog.

    Returns:
        What was reached by Tab, in order.
    """
    open_page(page, path)
    page.wait_for_load_state("load")
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    if prepare:
        prepare(page)
    check_accessible(page)
    return check_focus_ring(page)


def check_accessible(page: "Page") -> None:
    """axe finds nothing serious and no empty header in a `page_for_axe` as it stands, in light and dark."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    # Only colors differ between the two, so only rules about colors are asked in the dark. It stays light.
    of_colors = "runOnly: ['color-contrast', 'link-in-text-block'], "
    for scheme, rules, n_passes in (("dark", of_colors, 1), ("light", "", 10)):
        page.emulate_media(color_scheme=scheme)
        result = page.evaluate(f"axe.run(document, {{{rules}resultTypes: ['violations']}})")
        assert len(result["passes"]) >= n_passes, f"{page.url}: axe found little to look at"
        bad = [
            f"{rule['id']} ({rule['impact']}): {rule['help']}: {[node['html'][:200] for node in rule['nodes'][:5]]}"
            for rule in result["violations"]
            if rule["impact"] in ("serious", "critical") or rule["id"] == "empty-table-header"
        ]
        assert bad == [], f"{page.url} in {scheme}: " + "\n".join(bad)


# What can be seen of an element, as a text to be compared.
_APPEARANCE = """
(element) => {
  const style = getComputedStyle(element);
  const outline = style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2 ? 'none' : style.outline;
  return `${outline} | ${style.boxShadow}`;
}
"""
_FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex], [contenteditable], audio, video, iframe"


def check_focus_ring(page: "Page") -> list[str]:
    """Go through the page by Tab: whatever has the focus shows it. Gives what was reached, in order."""
    page.evaluate("document.activeElement.blur()")  # a dialog has given it to its first button
    page.evaluate(
        f"window.unfocused = new Map([...document.querySelectorAll('{_FOCUSABLE}')]"
        f".map((element) => [element, ({_APPEARANCE})(element)]))"
    )
    page.locator("body").press("Tab")
    reached: list[str] = []
    unseen: list[str] = []
    n_outside = 0
    for _ in range(_MOST_TABS):
        rings = page.evaluate(
            f"""() => {{
              const element = document.activeElement;
              if (!element || element === document.body) return null;
              if (window.reached?.has(element)) return null;
              (window.reached ??= new Set()).add(element);
              const looks = ({_APPEARANCE})(element);
              const box = element.getBoundingClientRect();
              return {{
                name: element.outerHTML.slice(0, 160),
                isSeen: looks !== (window.unfocused.get(element) ?? 'none | none') && box.width * box.height > 0,
              }};
            }}"""
        )
        if rings is None:  # the browser itself, once; after it, a dialog starts again
            n_outside += 1
            if n_outside > 1:
                break
            page.keyboard.press("Tab")
            continue
        reached.append(rings["name"])
        if not rings["isSeen"]:
            unseen.append(rings["name"])
        page.keyboard.press("Tab")
    assert unseen == [], "these do not show that they have the focus"
    assert reached, "nothing can be reached by Tab"
    return reached
