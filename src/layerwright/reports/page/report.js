"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("scripted");

  // --- findings ---------------------------------------------------------------------------------------------------
  const form = byId("filters");
  if (form) {
    const findings = [...document.querySelectorAll(".finding")];
    const texts = new Map(findings.map((one) => [one, one.textContent.toLowerCase()]));
    const apply = () => {
      const levels = new Set([...form.querySelectorAll("[name=level]:checked")].map((box) => box.value));
      const image = byId("image") ? byId("image").value : "";
      const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const one of findings) {
        const images = one.dataset.images ? one.dataset.images.split("\n") : [];
        const fits = levels.has(one.dataset.level) && (!image || images.includes(image)) &&
          words.every((word) => texts.get(one).includes(word));
        one.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      byId("shown").textContent = `${shown} of ${findings.length} shown`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    apply();
  }
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details:not([open])")) {
      one.open = true;
      one.dataset.printed = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const one of document.querySelectorAll("details[data-printed]")) {
      one.open = false;
      delete one.dataset.printed;
    }
  });

  // --- sizes ------------------------------------------------------------------------------------------------------
  const sizeText = (count) => {
    const units = ["B", "kB", "MB", "GB", "TB"];
    let unit = 0;
    while (Math.abs(count) >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
    return unit ? `${count.toFixed(1)} ${units[unit]}` : `${count} B`;
  };
  const shareText = (part, whole) => {
    const share = whole ? (100 * part) / whole : 0;
    return `${share >= 10 ? share.toFixed(0) : share.toFixed(1)} %`;
  };
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // Squarified treemap: Bruls, Huizing, van Wijk, "Squarified Treemaps", 2000.
  const squarify = (items, x, y, width, height) => {
    const total = items.reduce((sum, item) => sum + item.bytes, 0);
    const placed = [];
    if (!total || width <= 0 || height <= 0) return placed;
    const scale = (width * height) / total;
    let from = 0;
    while (from < items.length) {
      const side = Math.min(width, height);
      let sum = 0;
      let worst = Infinity;
      let to = from;
      while (to < items.length) {
        const next = sum + items[to].bytes * scale;
        const largest = items[from].bytes * scale;
        const smallest = items[to].bytes * scale;
        const ratio = Math.max((side * side * largest) / (next * next), (next * next) / (side * side * smallest));
        if (ratio > worst) break;
        worst = ratio;
        sum = next;
        to += 1;
      }
      const thick = sum / side;
      let along = 0;
      for (let at = from; at < to; at += 1) {
        const long = (items[at].bytes * scale) / thick;
        placed.push(width >= height
          ? { item: items[at], x, y: y + along, width: thick, height: long }
          : { item: items[at], x: x + along, y, width: long, height: thick });
        along += long;
      }
      if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
      from = to;
    }
    return placed;
  };

  const data = byId("tree");
  if (data) {
    const read = ([name, bytes, kind, note, children], parent, hue) => {
      const node = { name, bytes, kind, note, parent, hue };
      node.children = children.map((child, at) => read(child, node, parent ? hue + ((at * 13) % 41) - 20 : (205 + at * 137.5) % 360));
      return node;
    };
    const root = read(JSON.parse(data.textContent), null, 205);
    const map = byId("map");
    const trail = byId("trail");
    let here = root;

    const parts = (node) => {
      const known = node.children.reduce((sum, child) => sum + child.bytes, 0);
      const all = node.children.filter((child) => child.bytes > 0);
      const own = node.bytes - known;
      if (own > node.bytes / 1000 && all.length) {
        all.push({ name: "its own", bytes: own, kind: "own", note: "", children: [], hue: node.hue });
      }
      return all.sort((one, other) => other.bytes - one.bytes);
    };
    const words = (node) => [node.name, sizeText(node.bytes), shareText(node.bytes, root.bytes), node.kind, node.note]
      .filter(Boolean).join(", ");
    const place = (tile, box) => {
      tile.style.left = `${box.x}px`;
      tile.style.top = `${box.y}px`;
      tile.style.width = `${Math.max(0, box.width)}px`;
      tile.style.height = `${Math.max(0, box.height)}px`;
    };
    const tileOf = (box) => {
      const node = box.item;
      const opens = node.children.length > 0;
      const tile = element(opens ? "button" : "div", undefined, `tile ${node.kind}`);
      if (opens) tile.type = "button"; else { tile.tabIndex = 0; tile.role = "img"; }
      tile.style.setProperty("--hue", node.hue);
      tile.setAttribute("aria-label", words(node) + (opens ? ", opens" : ""));
      tile.title = words(node);
      tile.dataset.name = node.name;
      place(tile, box);
      if (box.width > 46 && box.height > 20) {
        const label = element("div", undefined, "label");
        label.append(element("b", node.name), " ", element("span", sizeText(node.bytes)));
        tile.append(label);
      }
      if (opens && box.width > 60 && box.height > 56) {
        let shownParts = node;
        while (shownParts.children.length === 1 && shownParts.children[0].children.length) [shownParts] = shownParts.children;
        for (const inner of squarify(parts(shownParts), 3, 22, box.width - 8, box.height - 27)) {
          if (inner.width < 5 || inner.height < 5) continue;
          const part = element("div", inner.width > 56 && inner.height > 14 ? inner.item.name : "", "inner");
          place(part, { x: inner.x, y: inner.y, width: inner.width - 2, height: inner.height - 2 });
          tile.append(part);
        }
      }
      if (opens) tile.addEventListener("click", () => show(node, true));
      return tile;
    };
    const draw = () => {
      const { width, height } = map.getBoundingClientRect();
      map.replaceChildren(...squarify(parts(here), 0, 0, width, height).map(tileOf));
    };
    const table = () => {
      const body = document.querySelector("#sizes tbody");
      body.replaceChildren(...parts(here).slice(0, 60).map((child) => {
        const row = element("tr");
        const name = element("td");
        if (child.children.length) {
          const link = element("button", child.name);
          link.type = "button";
          link.addEventListener("click", () => show(child, false));
          name.append(link);
        } else {
          name.append(element("code", child.name));
        }
        row.append(name, element("td", child.kind === "own" ? "" : child.kind), element("td", sizeText(child.bytes), "number"),
          element("td", shareText(child.bytes, root.bytes), "number"), element("td", child.note));
        return row;
      }));
    };
    const show = (node, focus) => {
      here = node;
      const chain = [];
      for (let one = node; one; one = one.parent) chain.unshift(one);
      trail.replaceChildren(...chain.flatMap((one, at) => {
        const link = element("button", `${one.name} ${sizeText(one.bytes)}`);
        link.type = "button";
        if (one === node) link.setAttribute("aria-current", "true");
        link.addEventListener("click", () => show(one, true));
        return at ? [element("span", "›"), link] : [link];
      }));
      draw();
      table();
      if (focus && map.firstElementChild) map.firstElementChild.focus({ preventScroll: true });
    };
    map.addEventListener("keydown", (event) => {
      if ((event.key === "Escape" || event.key === "Backspace") && here.parent) {
        event.preventDefault();
        const from = here.name;
        show(here.parent, true);
        const tile = [...map.children].find((one) => one.dataset.name === from);
        if (tile) tile.focus({ preventScroll: true });
      } else if (event.key === "ArrowRight" || event.key === "ArrowDown" || event.key === "ArrowLeft" || event.key === "ArrowUp") {
        const step = event.key === "ArrowRight" || event.key === "ArrowDown" ? "nextElementSibling" : "previousElementSibling";
        const next = document.activeElement && document.activeElement[step];
        if (next) { event.preventDefault(); next.focus({ preventScroll: true }); }
      }
    });
    let width = 0;
    new ResizeObserver(() => {
      const now = map.getBoundingClientRect().width;
      if (now !== width) { width = now; draw(); }
    }).observe(map);
    show(root, false);
  }

  // --- libraries --------------------------------------------------------------------------------------------------
  const needs = byId("needs");
  if (needs) {
    const rows = [...needs.tBodies[0].rows];
    const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
    const graph = byId("graph");
    const boxes = graph ? [...graph.querySelectorAll(".box")] : [];
    const edges = graph ? [...graph.querySelectorAll(".edge")] : [];
    let chosen = "";
    const apply = () => {
      const wanted = byId("needle").value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const owners = row.dataset.owners.split("\n");
        row.hidden = !(wanted.every((word) => texts.get(row).includes(word)) && (!chosen || owners.includes(chosen)));
        shown += row.hidden ? 0 : 1;
      }
      byId("needs-shown").textContent = `${shown} of ${rows.length} shown${chosen ? `, those of ${chosen}` : ""}`;
      if (!graph) return;
      graph.classList.toggle("choosing", Boolean(chosen));
      const near = new Set([chosen]);
      for (const edge of edges) {
        const touches = edge.dataset.source === chosen || edge.dataset.target === chosen;
        edge.classList.toggle("near", touches);
        if (touches) { near.add(edge.dataset.source); near.add(edge.dataset.target); }
      }
      for (const box of boxes) box.classList.toggle("near", near.has(box.dataset.owner));
    };
    const choose = (owner) => { chosen = chosen === owner ? "" : owner; apply(); };
    for (const box of boxes) {
      box.setAttribute("role", "button");
      box.addEventListener("click", () => choose(box.dataset.owner));
      box.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(box.dataset.owner); }
      });
    }
    byId("needle").addEventListener("input", apply);
    byId("all").addEventListener("click", () => { chosen = ""; byId("needle").value = ""; apply(); });
    byId("library-filter").addEventListener("submit", (event) => event.preventDefault());
    apply();
  }
})();
