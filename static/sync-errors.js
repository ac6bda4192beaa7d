// Comfort only: every page works without this file.
(() => {
  "use strict";

  // What asks for itself by itself, until it is over.
  const POLL = '[hx-trigger^="load"]';

  const boxes = (form) => [...form.querySelectorAll('tbody input[type="checkbox"]')];

  const sayHowMany = (form) => {
    const all = boxes(form);
    const chosen = all.filter((box) => box.checked).length;
    const count = form.querySelector("#picked");
    if (count) count.textContent = chosen.toLocaleString(document.documentElement.lang);
    const page = form.querySelector("thead input[data-all]");
    if (page) Object.assign(page, { checked: chosen > 0 && chosen === all.length, indeterminate: chosen > 0 && chosen < all.length });
  };

  // The box in the head chooses the page; without script it stays hidden.
  const prepare = () => {
    for (const page of document.querySelectorAll("thead input[data-all]")) {
      page.closest(".pick").hidden = false;
      sayHowMany(page.form);
    }
  };

  let last = null;
  document.addEventListener("click", (event) => {
    const box = event.target.closest('.entries tbody input[type="checkbox"]');
    if (!box) return;
    if (event.shiftKey && last && last.form === box.form) {
      const all = boxes(box.form);
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      for (const between of all.slice(from, to + 1)) between.checked = box.checked;
    }
    last = box;
    sayHowMany(box.form);
  });

  document.addEventListener("change", ({ target: box }) => {
    if (!box.matches("thead input[data-all]")) return;
    for (const one of boxes(box.form)) one.checked = box.checked;
    sayHowMany(box.form);
  });

  // Clearing the selection takes its own button away: the focus goes back to the boxes.
  document.addEventListener("reset", ({ target: form }) => setTimeout(() => {
    sayHowMany(form);
    (last?.isConnected ? last : form.querySelector("[data-all]"))?.focus({ preventScroll: true });
  }));

  // A menu closes by Escape, and when something else is clicked or the keys have left it.
  document.addEventListener("keydown", ({ key }) => {
    const menu = key === "Escape" && document.querySelector("details.menu[open]");
    if (menu) Object.assign(menu, { open: false }).querySelector("summary").focus();
  });
  const leave = ({ target, type, key }) => {
    if (type === "keyup" && key !== "Tab") return;
    const isFilter = Boolean(target.closest(".toolbar .filters"));
    for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = menu.contains(target) || (isFilter && menu.matches(".m-more"));
  };
  for (const kind of ["click", "keyup"]) document.addEventListener(kind, leave);

  // Arrows go through the choices of a menu; Enter takes one, or is the button of its fields.
  document.addEventListener("keydown", (event) => {
    const one = event.target;
    if (event.key === "Enter" && one.matches(".selbar input")) one.closest(".sheet").querySelector("button").click();
    if (!one.matches('.filters [type="radio"]')) return;
    const all = [...document.getElementsByName(one.name)];
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    if (step) return all.at((all.indexOf(one) + step) % all.length).focus();
    one.checked = true;
    one.dispatchEvent(new Event("change", { bubbles: true }));
  });

  // The caption of a menu says what is chosen in it.
  document.addEventListener("change", ({ target: one }) => {
    const menu = one.closest(".filters details.menu");
    const said = menu && menu.querySelector("summary b");
    if (!said) return;
    const radio = one.matches('[type="radio"]') && one.closest("label");
    if (radio) {
      said.textContent = radio.textContent.trim();
      menu.open = false;
      said.parentElement.focus();
    } else if (said.dataset.any) {
      said.textContent = [...menu.querySelectorAll("input")].every((input) => !input.value) ? said.dataset.any : said.dataset.some;
    }
  });

  // The text behind the link goes to the clipboard; where it cannot, the link opens it.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-copy]");
    if (!link || !navigator.clipboard) return;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(await (await fetch(link.href)).text());
      link.querySelector("span").textContent = link.dataset.copy;
    } catch {
      location.assign(link.href);
    }
  });

  // A page asks for news while somebody looks at it; at once when somebody comes back. News
  // would take away what something else on the page waits for: that goes first.
  let seconds = 0;
  const ask = (all) => {
    if (document.hidden || document.querySelector(".htmx-request:not([data-live])")) return;
    for (const one of document.querySelectorAll("[data-live]")) {
      if (all || seconds % Number(one.dataset.live) === 0) htmx.trigger(one, "live");
    }
  };
  setInterval(() => { seconds += 5; ask(false); }, 5000);
  for (const back of ["visibilitychange", "focus"]) addEventListener(back, () => ask(true));
  // One that the browser has kept whole is not shown again once its reader has signed out.
  addEventListener("pageshow", ({ persisted }) => persisted && fetch(location.href, { method: "HEAD" }).then(({ redirected }) => redirected && location.reload()));
  document.addEventListener("htmx:afterRequest", ({ detail }) => detail.requestConfig.verb === "post" && ask(true));

  // What a person asked for last is shown. The answer to what was asked before would take its
  // place away, and one whose own place is gone has none; a change (POST) is always told. Each
  // element is listened to by itself: of one that has left the document nothing comes here.
  let wanted = new XMLHttpRequest();
  const judge = (event) => {
    const { elt, xhr, requestConfig } = event.detail;
    const isRefused = xhr.status >= 400 && requestConfig.verb === "post";
    if (isRefused || new URL(xhr.responseURL).pathname === "/login/") location.reload();
    const isWaiting = wanted.readyState > 0 && wanted.readyState < 4;
    const isLate = elt.matches("[data-live]") ? isWaiting : wanted !== xhr && !elt.matches(POLL);
    if (requestConfig.verb === "get" && (isLate || !elt.isConnected)) event.preventDefault();
  };
  document.addEventListener("htmx:beforeRequest", ({ detail: { elt, xhr } }) => {
    if (!elt.matches(`[data-live], ${POLL}`)) wanted = xhr;
    elt.addEventListener("htmx:beforeOnLoad", judge);
  });

  // What has the focus keeps it when its part of the page is renewed, or gives it to what is
  // there in its place: the same head of a table, the way back on a last page.
  let places = [];
  document.addEventListener("htmx:beforeSwap", () => {
    const one = document.activeElement || document.body;
    const around = one.closest("thead th, .pager");
    const same = `#main [href="${CSS.escape(one.getAttribute("href") ?? "")}"]`;
    places = !one.matches("#main *") ? [] : !around ? [same, "#main"] : [`thead .${around.classList[0]} a`, `.pager [rel="${one.rel}"]`, ".pager [rel]", same, "#main"];
  });
  document.addEventListener("htmx:afterSettle", () => {
    prepare();
    for (const place of places) if (document.activeElement === document.body) document.querySelector(place)?.focus({ preventScroll: true });
  });

  // Whoever opens a record is about to mend it: have it looked at again.
  const watch = ({ target }) => {
    const link = target.closest('a[target="_blank"]');
    const token = document.querySelector("[name=csrfmiddlewaretoken]");
    const place = link && (link.closest("[data-watch]") || document.querySelector("#live[data-watch]"));
    if (!place || !token) return;
    navigator.sendBeacon(place.dataset.watch, new URLSearchParams({ [token.name]: token.value }));
    for (const one of document.querySelectorAll("[data-live]")) one.dataset.live = "5";
  };
  for (const kind of ["click", "auxclick"]) document.addEventListener(kind, watch);

  // A state or an order holds for what has been typed, and what is typed for them: each may be
  // asked for while the other's answer is still on its way.
  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, path, verb, parameters: values } = event.detail;
    // An empty filter has no place in the address.
    for (const name of Object.keys(values)) if (verb === "get" && values[name] === "") delete values[name];
    const typed = document.querySelector("#q");
    if (!typed || !elt.closest("#chips, #sorts")) return;
    const address = new URL(path, location.href);
    address.searchParams.delete("q");
    for (const one of document.querySelectorAll('#chips [type="hidden"]')) one.remove();
    for (const [name, value] of address.searchParams) {
      if (typed.form.elements[name]) continue;
      const hidden = Object.assign(document.createElement("input"), { type: "hidden", name, value });
      hidden.setAttribute("form", typed.form.id);
      document.querySelector("#chips").append(hidden);
    }
    if (typed.value.trim()) address.searchParams.set("q", typed.value);
    event.detail.path = address.pathname + address.search;
  });

  // On a telephone rows of links go on beside the screen: show the one that is open.
  for (const one of document.querySelectorAll(".nav [aria-current], .side [aria-current], .chips [aria-current]")) {
    const row = one.closest(".nav, .side ul, .chips");
    if (row.scrollWidth > row.clientWidth) row.scrollLeft += one.getBoundingClientRect().right - row.getBoundingClientRect().right + 48;
  }

  prepare();

  // What was written for a session that had ended is there again after signing in.
  const written = () => [...document.querySelectorAll("main :is(textarea, [type=text]):not([name$=secret])")].map((one, at) => [`${location.pathname} ${at} ${one.name}`, one]);
  if (location.pathname !== "/login/") {
    const kept = JSON.parse(sessionStorage.getItem("written") ?? "{}");
    sessionStorage.removeItem("written");
    if (document.referrer.includes("/login/")) for (const [key, one] of written()) one.value = kept[key] ?? one.value;
    addEventListener("submit", () => sessionStorage.setItem("written", JSON.stringify(Object.fromEntries(written().map(([key, one]) => [key, one.value])))));
  }
})();
