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
    const key = names.map((name) => detail[name]).join("|");
    shown.innerHTML = all[key] ?? `<p class="warn">Nothing to compare for this choice: no network
      of this data set was predicted at this batch size on this platform.</p>`;
  });
})();
