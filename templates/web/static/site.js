/* What the pages do better with JavaScript; without it all of them work. Nothing is asked of
   anybody but this site.

   select[data-guess]   takes the browser's time zone
   form[data-live=URL]  asks URL?…&fragment=1 for its field "interests" while somebody types, puts
                        the answer into its [data-preview], and says its [data-status] in [data-said]
   a[data-add]          adds its words to the interests of that form
   [data-nojs]          is taken away                                                             */
"use strict";

for (const select of document.querySelectorAll("select[data-guess]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone) continue;
  if (![...select.options].some((option) => option.value === zone)) {
    select.add(new Option(zone, zone));
  }
  select.value = zone;
}

for (const form of document.querySelectorAll("form[data-live]")) live(form);

function live(form) {
  const words = form.elements.namedItem("interests");
  const said = form.querySelector("[data-said]");
  const place = form.querySelector("[data-preview]");
  if (!words || !place) return;
  const title = document.getElementById(place.parentElement.getAttribute("aria-labelledby"));
  const before = { html: place.innerHTML, title: title && title.textContent };
  let shown = words.value.trim();
  let timer = 0;
  let asked = null;

  for (const button of form.querySelectorAll("[data-nojs]")) button.remove();

  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 250);
  });
  place.addEventListener("click", (event) => {
    const chip = event.target.closest("a[data-add]");
    if (!chip || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    add(chip.dataset.add);
  });

  function add(phrase) {
    const typed = words.value.replace(/[\s,;]+$/, "");
    words.value = typed + (typed ? (typed.includes("\n") ? "\n" : ", ") : "") + phrase;
    words.focus();
    show();
  }

  async function show() {
    clearTimeout(timer);
    const typed = words.value.trim();
    if (typed === shown) return;
    shown = typed;
    if (asked) asked.abort();
    if (!typed) return put(before.html, "", before.title);
    asked = new AbortController();
    place.setAttribute("aria-busy", "true");
    try {
      const query = new URLSearchParams({ interests: typed, fragment: "1" });
      const answer = await fetch(form.dataset.live + "?" + query, { signal: asked.signal });
      const html = await answer.text();
      if (answer.ok || answer.status === 422) {
        put(html, null, "Today’s mail, for you");
        mark(answer.status === 422);
      } else {
        fail();
      }
    } catch (error) {
      if (error.name !== "AbortError") fail();
    }
  }

  function fail() {
    put("<p data-status>The preview does not answer just now. You can subscribe all the same.</p>", null);
    shown = null; // the next letter asks again
  }

  function put(html, words, name) {
    place.innerHTML = html; // made by the server's template, which escapes all that is not its own
    place.removeAttribute("aria-busy");
    if (title && name) title.textContent = name;
    const status = place.querySelector("[data-status]");
    said.textContent = words === null && status ? status.textContent : "";
    mark(false);
  }

  function mark(wrong) {
    if (wrong) words.setAttribute("aria-invalid", "true");
    else words.removeAttribute("aria-invalid");
    const told = document.getElementById("interests-error");
    if (told && !wrong) told.remove();
  }
}
