// @ts-check
/** Every page's script: small behaviours found by their data- attributes. Pages work without it. */

import { watchColors } from "./colors.js";
import { confirmForms } from "./confirm.js";
import { sendCsrfWithHtmx } from "./csrf.js";
import { editLabels } from "./label-editor.js";
import { closeMenus } from "./menus.js";
import { onInsert } from "./insertions.js";
import { follow, keepWhatStays } from "./live.js";
import { showTab } from "./tabs.js";
import { suggestParams } from "./train-form.js";
import { uploadWithProgress } from "./upload.js";

sendCsrfWithHtmx();
watchColors();
closeMenus();
confirmForms();
editLabels();
showTab();
suggestParams();
uploadWithProgress();
keepWhatStays();

onInsert("[data-reload]", () => location.reload());
onInsert("[data-live]", follow);
onInsert("[data-chart]", async (element) => {
  try {
    const { drawChart } = await import("./charts.js");
    drawChart(element);
  } catch (error) {
    // A page that is older than the release that runs now cannot load more of its scripts.
    element.textContent = document.body.dataset.textReload ?? "";
    throw error;
  }
});
