// Light or dark: as the system has it until the switch is used.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  const apply = () => {
    button.textContent = dark() ? "Light" : "Dark";
    blockqnn.charts.refresh();
  };

  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    apply();
  });
  system.addEventListener("change", apply);
  apply();
  performance.mark("blockqnn-shown");
})();
