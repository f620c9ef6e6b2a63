// The switches of platform, metric and others: what is chosen is shown, and remembered.
// Without this script every section is whole.
(() => {
  const kept = (name) => `neuralpower.${name}`;
  const remembered = (name) => {
    try { return localStorage.getItem(kept(name)); } catch { return null; }
  };
  const remember = (name, text) => {
    try { localStorage.setItem(kept(name), text); } catch { /* a browser that keeps nothing */ }
  };
  const selects = [...document.querySelectorAll("select[data-switch]")];
  const show = () => {
    const chosen = Object.fromEntries(selects.map((s) => [s.dataset.switch, s.value]));
    for (const part of document.querySelectorAll("[data-on]")) {
      const [name, text] = part.dataset.on.split(/=(.*)/);
      const others = name === "platform" ? [chosen.platform, chosen.other] : [chosen[name]];
      part.hidden = !others.includes(text);
    }
    document.dispatchEvent(new CustomEvent("switched", { detail: chosen }));
  };
  for (const select of selects) {
    const name = select.dataset.switch;
    const before = name === "other" ? null : remembered(name);
    if ([...select.options].some((option) => option.value === before)) select.value = before;
    select.addEventListener("change", () => { remember(name, select.value); show(); });
    select.closest(".switches").hidden = false;
  }
  if (selects.length) addEventListener("DOMContentLoaded", show);
})();
