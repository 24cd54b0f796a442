"""Text that a page cuts off or draws over other text: for any page, at the width that it is shown."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Text may be shortened by an ellipsis if its whole is in a title, and may be scrolled to in a box that says so. A box
# that stays in sight (sticky) may cover what scrolls below it.
_FAULTS = """() => {
  const isShown = (e) => e.checkVisibility({visibilityProperty: true, opacityProperty: true});
  const isHidden = (e) => e.closest('.visually-hidden, [aria-hidden=true], svg, details:not([open]) > :not(summary)');
  const said = (e) => `${e.tagName.toLowerCase()}.${e.className} “${(e.textContent || '').trim().slice(0, 40)}”`;
  // What of a box can be seen: boxes around it may cut it or scroll it away.
  const seen = (e, box) => {
    let {left, top, right, bottom} = box;
    for (let at = e; at && at !== document.body; at = at.parentElement) {
      const style = getComputedStyle(at);
      const edge = at.getBoundingClientRect();
      if (style.overflowX !== 'visible') [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
      if (style.overflowY !== 'visible') [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
    }
    return {left, top, right, bottom};
  };
  const stickyBox = (e) => {
    for (let at = e; at; at = at.parentElement) if (getComputedStyle(at).position === 'sticky') return at;
    return null;
  };
  const faults = [];
  const texts = [];
  for (const e of document.querySelectorAll('main *')) {
    const own = [...e.childNodes].filter((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own.length || !isShown(e) || isHidden(e)) continue;
    const style = getComputedStyle(e);
    const isCut = style.overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1;
    if (isCut && style.overflowX !== 'auto' && style.overflowX !== 'scroll') {
      if (style.textOverflow !== 'ellipsis' || !e.closest('[title]')) faults.push(`cut off: ${said(e)}`);
    }
    if (style.transform !== 'none' || style.writingMode !== 'horizontal-tb') continue; // its box is larger
    for (const node of own) {
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const whole of range.getClientRects()) {
        const box = seen(e, whole);
        if (box.right - box.left > 1 && box.bottom - box.top > 1) texts.push({e, box});
      }
    }
  }
  texts.sort((a, b) => a.box.top - b.box.top);
  texts.forEach((a, i) => {
    for (let k = i + 1; k < texts.length && texts[k].box.top < a.box.bottom - 3; k++) {
      const b = texts[k];
      if (a.e === b.e || a.e.contains(b.e) || b.e.contains(a.e)) continue;
      const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      const isOnOneLayer = stickyBox(a.e) === stickyBox(b.e);
      if (across > 2 && down > 5 && isOnOneLayer) faults.push(`overlap: ${said(a.e)} and ${said(b.e)}`);
    }
  });
  const wider = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wider > 0) faults.push(`the page is ${wider} px wider than the window`);
  return faults.slice(0, 8);
}"""


def clipped_text(page: "Page") -> list[str]:
    """Return what is wrong with text of the main part of a page; empty if all of it can be read."""
    faults: Any = page.evaluate(_FAULTS)
    return [str(fault) for fault in faults]
