// Does it fit? The budget is in the address, each card says whether its figures keep to it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const budgets = all("input[data-budget]");
  if (budgets.length) {
    const given = new URLSearchParams(location.hash.slice(1));
    for (const input of budgets) input.value = given.get(input.dataset.budget) ?? "";
    const units = { runtime_ms: "ms", power_w: "W", energy_mj: "mJ" };
    const judged = (card) => {
      const verdicts = [];
      for (const input of budgets) {
        const limit = Number(input.value);
        if (!(limit > 0)) continue;
        const [text, least] = card.getAttribute(`data-${input.dataset.budget}`)?.split(" least") ?? [];
        const ends = text?.split(" ").map(Number);
        const of = `${limit} ${units[input.dataset.budget]}`;
        if (!ends) verdicts.push(["unknown", `${of}: not measured here`]);
        else if (least !== undefined && ends[0] <= limit) verdicts.push(["maybe", `may not fit ${of}: layers have no figure`]);
        else if (ends[2] <= limit) verdicts.push(["yes", `fits ${of}`]);
        else if (ends[0] > limit) verdicts.push(["no", `does not fit ${of}`]);
        else verdicts.push(["maybe", `may ${ends[1] <= limit ? "" : "not "}fit ${of}: the interval holds it`]);
      }
      return verdicts;
    };
    const judge = () => {
      for (const card of all(".card")) {
        const verdicts = judged(card);
        const verdict = card.querySelector(".verdict");
        verdict.hidden = !verdicts.length;
        verdict.textContent = verdicts.map(([, text]) => text).join("; ");
        const order = ["no", "unknown", "maybe", "yes"];
        verdict.dataset.verdict = order.find((kind) => verdicts.some(([own]) => own === kind)) ?? "";
      }
    };
    for (const input of budgets) {
      input.addEventListener("input", () => {
        const set = budgets.filter((own) => own.value).map((own) => [own.dataset.budget, own.value]);
        const hash = new URLSearchParams(set).toString();
        history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
        judge();
      });
    }
    budgets[0].closest(".tools").hidden = false;
    judge();
  }
})();
