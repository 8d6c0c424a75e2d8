"""The report in a real headless Chromium: look-up, proof, keyboard, contrast, and what is kept out.

Debian: apt-get install chromium chromium-driver. Without them these tests fail and say so; `make
test` leaves them to `make test-all`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from rewards.audit.prove import prove
from rewards.audit.report import build_report
from rewards.files.published import PublishedEpoch
from rewards.merkle.keccak import to_checksum
from tests.report.browser import BROWSER, DRIVER, INSTALL, Page, start
from tests.report.epochs import HOSTILE, Published, publish, sized_inputs
from tests.report.test_report import hostile_report

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if not (BROWSER and DRIVER):
        pytest.fail(INSTALL)
    browser = start(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def report_file(report: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report, encoding="utf-8")
    return path


@pytest.fixture
def page(chrome: Chrome, report_file: Path) -> Iterator[Page]:
    """Open the report; afterwards nothing may have gone wrong or out."""
    opened = Page(chrome, report_file)
    yield opened
    opened.require_quiet()


# --- look-up -----------------------------------------------------------------------------------


def test_wallet__derived_and_proven(page: Page, last: Published) -> None:
    row = paid_wallet(last)
    assert page.look_up(row["wallet_id"]) == f"Found {row['wallet_id']}."
    assert page.text("#look-result h3") == to_checksum(row["payout_address"])
    assert "lead to the published amount" in page.text("#look-result .card")
    steps = page.text("#look-result details[open] .steps")
    assert f"= {row['amount']}" in steps
    assert "iroot(q, m**p * WAD**q // t**p)" in steps
    assert page.element("[data-verdict=verified]").is_displayed()
    assert "steps evaluated in this browser" in page.text("#look-result")


def test_node__derived_and_proven(page: Page, last: Published) -> None:
    rows = [r for r in table(last, "nodes.csv") if r["withheld"] != "0"]
    assert page.look_up(rows[0]["node_id"]) == f"Found {rows[0]['node_id']}."
    shown = page.text("#look-result")
    assert "max(base + bonus - due, 0)" in shown
    assert f"= {rows[0]['withheld']}" in shown
    assert page.element("[data-verdict=verified]").is_displayed()
    assert not page.run("return document.querySelectorAll('#look-result .bad').length")


def test_address__any_right_spelling__its_ledger_and_the_proof_of_the_command(
    page: Page, last: Published
) -> None:
    published = PublishedEpoch(last.folder)
    account = max(published.allocations, key=lambda row: row.epoch_amount).account
    proof = prove(published, account)
    for spelling in (account, to_checksum(account), "0x" + account[2:].upper()):
        assert page.look_up(spelling) == f"Found {spelling}."
    page.run("document.querySelector('.proof-block details').open = true")
    assert page.text("ol.hashes").split() == proof["proof"]
    assert proof["root"] in page.text("[data-verdict=verified]")
    assert "previous_cumulative + epoch_amount" in page.text("#look-result")


def test_every_paid_id__derived_to_the_published_amount(page: Page, last: Published) -> None:
    """Every one, through the page's own code, in the browser's own BigInt and keccak."""
    ids = [r["wallet_id"] for r in table(last, "wallets.csv") if r["amount"] != "0"]
    ids += [r["node_id"] for r in table(last, "nodes.csv") if r["paid"] != "0"]
    for subject in ids:
        page.run("location.hash = '#look=' + encodeURIComponent(arguments[0])", subject)
        page.wait(
            f"return document.getElementById('look-status').textContent === 'Found {subject}.'"
        )
        good = page.run(
            "return [document.querySelectorAll('#look-result .bad').length,"
            " document.querySelectorAll('[data-verdict=verified]').length]"
        )
        assert good == [0, 1], subject


def test_unpaid_wallet__told_why_and_that_it_has_no_leaf(page: Page, last: Published) -> None:
    row = next(r for r in table(last, "wallets.csv") if r["reason"] == "below_threshold")
    page.look_up(row["wallet_id"])
    assert "ineligible, below_threshold" in page.text("#look-result")
    assert "No leaf, so no proof" in page.text("#look-result")


def test_look_up__tells_it_in_words_before_the_steps(page: Page, last: Published) -> None:
    wallet = paid_wallet(last)
    page.look_up(wallet["wallet_id"])
    told = page.text(".told")
    assert f"Its {int(wallet['activity']):,} signatures pass the threshold" in told
    assert "it is certified. From the eligible pool of 125,000.0000 WCT" in told
    assert "✓ All" in page.text(".derivation .good")


def test_sentinel__proven_too(page: Page, last: Published) -> None:
    manifest = PublishedEpoch(last.folder).manifest
    page.look_up(manifest.distributor)
    assert "the sentinel" in page.text("#look-result")
    assert page.element("[data-verdict=verified]").is_displayed()


@pytest.mark.parametrize(
    ("subject", "answer"),
    [
        ("0x12", "40 hexadecimal digits"),
        ("0x" + "11" * 20, "No such address in this epoch"),
        ("no-such-id", "No node or wallet of this epoch has this id"),
        ("", "Type an address"),
        (HOSTILE[:80], "No node or wallet of this epoch has this id"),
        ("__proto__", "No node or wallet of this epoch has this id"),
    ],
)
def test_unknown_subject__said(page: Page, subject: str, answer: str) -> None:
    assert answer in page.look_up(subject)


def test_mistyped_checksum__refused_not_repaired(page: Page, last: Published) -> None:
    spelled = to_checksum(table(last, "allocations.csv")[0]["account"])
    swapped = spelled[:2] + spelled[2:].swapcase()
    assert "checksum of EIP-55" in page.look_up(swapped)


def test_beginning_of_an_id__suggests(page: Page, last: Published) -> None:
    names = [r["node_id"] for r in table(last, "nodes.csv") if r["node_id"].startswith("us-")]
    assert len(names) > 1
    assert "begin with it" in page.look_up("us-")
    assert page.text(".suggestions").split()[: len(names)] == names
    page.element(".suggestions a").click()
    page.wait(f"return document.getElementById('look-status').textContent === 'Found {names[0]}.'")


# --- proofs ------------------------------------------------------------------------------------


def test_altered_proof__refused(page: Page, last: Published) -> None:
    page.look_up(paid_wallet(last)["wallet_id"])
    page.element(".proof-block button").click()
    assert "✓ Verified" in page.verify()
    proof = str(page.element("#proof-nodes").get_property("value"))
    flipped = proof[:-1] + ("0" if proof[-1] != "0" else "1")
    for name, value in (
        ("proof-nodes", flipped),
        ("proof-nodes", "\n".join(proof.split()[:-1])),
        ("proof-nodes", "\n".join(proof.split()[::-1])),
        ("proof-cumulative", "1"),
        ("proof-account", "0x" + "11" * 20),
    ):
        before = page.run("return document.getElementById(arguments[0]).value", name)
        page.run("document.getElementById(arguments[0]).value = arguments[1]", name, value)
        assert "✗ Refused" in page.verify(), (name, value)
        page.run("document.getElementById(arguments[0]).value = arguments[1]", name, before)
    assert "✓ Verified" in page.verify()
    page.run("document.getElementById('proof-nodes').value = '0x12'")
    assert "64 hexadecimal digits" in page.verify()


def test_every_leaf__hashed_to_the_root(page: Page, last: Published) -> None:
    page.run("document.getElementById('checker').open = true")
    page.element("#audit-button").click()
    page.wait("return !document.getElementById('audit-button').disabled")
    count = PublishedEpoch(last.folder).manifest.document["leaf_count"]
    assert f"✓ All {count} leaves hash to the root" in page.text("#proof-status")


def test_altered_amount_in_the_page__found(chrome: Chrome, report: str, tmp_path: Path) -> None:
    """Somebody who alters the page's data cannot reach the root with it."""
    marker = '<script type="text/plain" id="leaves">'
    at = report.index(marker) + len(marker)
    altered = report[:at] + ("A" if report[at] != "A" else "B") + report[at + 1 :]
    path = tmp_path / "altered.html"
    path.write_text(altered, encoding="utf-8")
    page = Page(chrome, path)
    page.run("document.getElementById('checker').open = true")
    page.element("#audit-button").click()
    page.wait("return !document.getElementById('audit-button').disabled")
    assert "✗ Wrong: the leaf of 0x" in page.text("#proof-status")


# --- what is kept out --------------------------------------------------------------------------


def test_hostile_ids_and_texts__never_run(
    chrome: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(hostile_report(tmp_path / "out", monkeypatch), encoding="utf-8")
    page = Page(chrome, path)
    for subject in (f"w{HOSTILE}", f"n{HOSTILE}"):
        page.run("document.getElementById('look-input').maxLength = 500")
        assert page.look_up(subject) == f"Found {subject}."
        assert subject in page.text("#look-result")
    page.look_up("wallet")
    page.look_up(to_checksum("0x" + "a0" + "00" * 18 + "02"))
    assert HOSTILE not in page.run("return document.querySelector('main').innerHTML")
    assert page.run("return [window.pwned, document.images.length]") == [None, 0]
    assert page.run("return document.scripts.length > 0 && !document.querySelector('main script')")
    page.require_quiet()


def test_injected_code_and_requests__stopped_by_the_policy(
    chrome: Chrome, report_file: Path
) -> None:
    page = Page(chrome, report_file)
    stopped = page.run(
        """
        const seen = [];
        const attempt = (act) => { try { act(); } catch (error) { seen.push(error.name); } };
        const noted = (event) => seen.push(event.effectiveDirective);
        document.addEventListener("securitypolicyviolation", noted);
        const box = document.createElement("p");
        document.body.append(box);
        attempt(() => { box.innerHTML = "<b onclick='window.pwned = 1'>text</b>"; });
        attempt(() => box.setAttribute("onclick", "window.pwned = 1"));
        attempt(() => setTimeout("window.pwned = 1", 0));
        attempt(() => { box.append(document.createElement("script")); });
        attempt(() => { box.lastChild.text = "window.pwned = 1"; });
        box.click();
        const image = document.createElement("img");
        image.src = "https://example.org/pixel.png";
        box.append(image);
        const asked = fetch("https://example.org/").catch(() => seen.push("fetch refused"));
        return asked.then(() => new Promise((done) => setTimeout(() => done(seen), 200)));
        """
    )
    assert {"img-src", "connect-src", "fetch refused"} <= set(stopped)
    assert stopped.count("TypeError") >= 3
    assert page.run("return window.pwned") is None
    assert [url for url in page.requests() if url.startswith("http")] == []


# --- for everybody -----------------------------------------------------------------------------


def test_keyboard__from_the_first_key_to_a_verdict(page: Page, last: Published) -> None:
    wallet = paid_wallet(last)["wallet_id"]
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.className") == "skip"
    for _ in range(40):
        page.press(Keys.TAB)
        if page.run("return document.activeElement.id") == "look-input":
            break
    assert page.run("return document.activeElement.id") == "look-input"
    page.press(wallet, Keys.ENTER)
    page.wait(f"return document.getElementById('look-status').textContent === 'Found {wallet}.'")
    assert page.run("return document.activeElement.tagName") == "H3"
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.tagName") == "SUMMARY"
    page.press(Keys.ENTER)
    assert page.element("ol.hashes").is_displayed()
    page.press(Keys.TAB)
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.id") == "proof-nodes"
    page.press(Keys.TAB)
    page.press(Keys.ENTER)
    assert "✓ Verified" in page.text("#proof-status")


def test_structure__landmarks_headings_labels(page: Page) -> None:
    found = page.run(
        """
        const all = (selector) => [...document.querySelectorAll(selector)];
        const levels = all("h1,h2,h3,h4").map((h) => Number(h.tagName[1]));
        return {
          landmarks: ["header", "nav[aria-label]", "main", "footer", "[role=search]"]
            .filter((s) => all(s).length !== 1),
          skipped: levels.filter((level, i) => i && level > levels[i - 1] + 1),
          first: levels[0],
          unlabelled: all("input,textarea").filter((f) => !f.labels.length).map((f) => f.id),
          plots: all("svg[role=img]").filter((s) => !s.querySelector("title")?.textContent).length,
          headers: all("main table").filter((t) => !t.querySelector("th")).length,
          regions: all(".scroll").filter((s) => s.tabIndex !== 0 || !s.ariaLabel).length,
          language: document.documentElement.lang,
          broken: all('a[href^="#"]').map((a) => a.getAttribute("href").slice(1))
            .filter((id) => !id.startsWith("look=") && !document.getElementById(id)),
        };
        """
    )
    assert found == {
        "landmarks": [],
        "skipped": [],
        "first": 1,
        "unlabelled": [],
        "plots": 0,
        "headers": 0,
        "regions": 0,
        "language": "en",
        "broken": [],
    }


CONTRAST = """
const channels = (css) => css.match(/[\\d.]+/g).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const colour = channels(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const low = new Set();
for (const node of document.querySelectorAll("body *")) {
  if (!node.checkVisibility() || node.closest("script")) continue;
  const speaks = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
  if (!speaks) continue;
  const style = getComputedStyle(node);
  const ink = channels(node instanceof SVGElement ? style.fill : style.color);
  const [a, b] = [light(ink), light(ground(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) low.add(`${node.tagName}.${node.className} ${ratio.toFixed(2)}`);
}
return [...low];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast__at_least_four_and_a_half(page: Page, scheme: str, last: Published) -> None:
    page.look_up(paid_wallet(last)["wallet_id"])
    page.run("for (const d of document.querySelectorAll('details')) d.open = true")
    feature = {"name": "prefers-color-scheme", "value": scheme}
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    dark = page.run(
        "return getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)'"
    )
    low = page.run(CONTRAST)
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert dark == (scheme == "dark")
    assert low == []


@pytest.mark.parametrize("width", [360, 400, 768, 1280])
def test_any_width__the_page_itself_never_scrolls_sideways(page: Page, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    page.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.look_up("0x" + "11" * 20)
    wide = page.run("return document.documentElement.scrollWidth")
    page.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide <= width


def test_print__everything_but_the_controls(page: Page) -> None:
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page.run("window.dispatchEvent(new Event('beforeprint'))")
    hidden = page.run(
        "return ['nav', '#look-form', '#checker', '#tip'].map((s) =>"
        " document.querySelector(s).checkVisibility())"
    )
    closed = page.run("return document.querySelectorAll('main details:not([open])').length")
    page.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert hidden == [False] * 4
    assert closed == 0


def test_without_script__all_but_the_look_up_is_there(chrome: Chrome, report_file: Path) -> None:
    chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        chrome.get(report_file.as_uri())
        text = chrome.find_element("css selector", "body").text
    finally:
        chrome.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "holds exactly" in text
    assert "The look-up needs JavaScript" in text


def test_plots__a_mark_tells_what_it_is_and_leads_to_the_look_up(page: Page) -> None:
    mark = page.element("#wallet-pay-figure [data-look]")
    page.run("arguments[0].scrollIntoView({block: 'center'})", mark)
    page.run("return new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    ActionChains(page.chrome).move_to_element(mark).perform()
    page.wait("return !document.getElementById('tip').hidden")
    shown = page.run("return document.getElementById('tip').textContent")
    subject = page.run(
        "return document.elementFromPoint(...arguments[0]).getAttribute('data-look')",
        centre(page, mark),
    )
    assert subject in shown
    ActionChains(page.chrome).click(mark).perform()
    page.wait(f"return document.getElementById('look-status').textContent === 'Found {subject}.'")


def test_thousands_of_wallets__looked_up_from_their_chunks(chrome: Chrome, tmp_path: Path) -> None:
    folder = publish(sized_inputs(3_000), tmp_path / "out")
    path = tmp_path / "large.html"
    path.write_bytes(build_report(PublishedEpoch(folder)))
    page = Page(chrome, path)
    for subject in ("wallet-000000", "wallet-000255", "wallet-000256", "wallet-002999", "node-20"):
        assert page.look_up(subject) == f"Found {subject}."
        assert page.element("[data-verdict=verified]").is_displayed()
    page.require_quiet()


# --- what the tests read from the files -----------------------------------------------------


def table(epoch: Published, name: str) -> list[dict[str, str]]:
    """Return a published table, its ids and numbers free of commas."""
    header, *rows = (epoch.folder / name).read_text().splitlines()
    return [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]


def paid_wallet(epoch: Published) -> dict[str, str]:
    """Return a certified wallet in the middle of the field."""
    rows = [r for r in table(epoch, "wallets.csv") if r["tier"] == "certified"]
    return sorted(rows, key=lambda r: int(r["amount"]))[len(rows) // 2]


def centre(page: Page, element: WebElement) -> list[float]:
    """Return where an element's middle is on the screen."""
    found: list[float] = page.run(
        "const r = arguments[0].getBoundingClientRect();"
        "return [r.x + r.width / 2, r.y + r.height / 2]",
        element,
    )
    return found
