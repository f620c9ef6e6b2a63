// Sections that stand compressed in the page: the one that the switches choose is shown.
// Without this script the first is.
(() => {
  const store = document.getElementById("stored");
  const shown = document.getElementById("shown");
  if (!store || !shown) return;
  const load = async () => {
    const bytes = Uint8Array.from(atob(store.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  };
  const sections = load();
  const names = shown.dataset.keys.split(" ");
  document.addEventListener("switched", async ({ detail }) => {
    const all = await sections;
    // What was not compared gives way from the last switch on: a platform with one batch size has
    // no "each at its best".
    const wanted = names.map((name) => detail[name]);
    let keys = Object.keys(all).map((key) => key.split("|"));
    const chosen = names.map((name, n) => {
      const select = document.querySelector(`[data-switch="${name}"]`);
      const there = new Set(keys.map((parts) => parts[n]));
      for (const option of select.options) option.disabled = !there.has(option.value);
      const value = there.has(wanted[n]) ? wanted[n] : keys[0][n];
      keys = keys.filter((parts) => parts[n] === value);
      select.value = value;
      return value;
    });
    shown.innerHTML = all[chosen.join("|")];
  });
})();
