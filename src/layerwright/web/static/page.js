// Fetches what changes: the state of a job, and the new part of its log. Without it, pages are loaded again by hand.
"use strict";

const log = document.getElementById("log");

// Only what differs is changed: what somebody reads, has marked, or has the focus on stays, and screen readers say no
// more than what is new.
const merge = (old, fresh) => {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const name of fresh.getAttributeNames()) old.setAttribute(name, fresh.getAttribute(name));
  const before = [...old.childNodes];
  const after = [...fresh.childNodes];
  after.forEach((node, place) => {
    const there = before[place];
    if (there && there.nodeName === node.nodeName) merge(there, node);
    else if (there) there.replaceWith(node);
    else old.append(node);
  });
  before.slice(after.length).forEach((node) => node.remove());
};

if (log && log.dataset.live === "yes") {
  log.scrollTop = log.scrollHeight;
  const place = `/jobs/${encodeURIComponent(log.dataset.job)}`;
  let offset = Number(log.dataset.offset);
  let waiting = 1000;
  const lost = document.getElementById("lost");

  const readLog = async () => {
    for (let more = true; more;) {
      const answer = await fetch(`${place}/log?offset=${offset}`);
      if (!answer.ok) return;
      const part = await answer.json();
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 30;
      log.append(part.text);
      if (atEnd) log.scrollTop = log.scrollHeight;
      offset = part.offset;
      more = !part.whole;
    }
  };

  const look = async () => {
    try {
      const answer = await fetch(`${place}/live`);
      if (answer.ok) {
        const old = document.getElementById("live");
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
        const ended = fresh.dataset.live === "no";
        merge(old, fresh);
        await readLog();
        if (ended) {
          location.reload();
          return;
        }
        waiting = 1000;
      }
      lost.hidden = answer.ok;
    } catch {
      lost.hidden = false;
      waiting = Math.min(waiting * 2, 15000); // the page's program is gone, or the network
    }
    setTimeout(look, waiting);
  };
  setTimeout(look, waiting);
} else if (log) {
  log.scrollTop = log.scrollHeight;
}

const truth = document.getElementById("truth");
if (truth) truth.addEventListener("change", () => document.body.classList.toggle("labels", truth.checked));
