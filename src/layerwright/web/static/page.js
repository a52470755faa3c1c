// Fetches what changes: the state of a job, and the new part of its log. Without it, pages are loaded again by hand.
"use strict";

const log = document.getElementById("log");

if (log && log.dataset.live === "yes") {
  log.scrollTop = log.scrollHeight;
  const place = `/jobs/${encodeURIComponent(log.dataset.job)}`;
  let offset = Number(log.dataset.offset);
  let waiting = 1000;

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
        if (old.innerHTML !== fresh.innerHTML) old.replaceWith(document.adoptNode(fresh));
        await readLog();
        if (fresh.dataset.live === "no") {
          location.reload();
          return;
        }
        waiting = 1000;
      }
    } catch {
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
