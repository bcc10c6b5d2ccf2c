// @ts-check
// In a page of a folder: the parts of the page that are files beside it.

import { reading } from "./local.js";
import { TEXTS } from "../../../pages/assets/language.js";
import { Refused } from "./photos.js";

Object.assign(TEXTS, {
  private: [
    "Photos stay in this browser: the page loads its own files and sends nothing.",
    "照片只留在本浏览器中：本页面只加载自身文件，不发送任何数据。"],
  noFile: ["{0} of this page cannot be loaded ({1})", "无法加载本页面的 {0}（{1}）"],
});

reading.part = async (id, settings) => {
  const name = settings.files[id];
  const response = await fetch(name).catch(() => null);
  if (!response?.ok) throw new Refused("noFile", name, response?.status ?? "?");
  return [await (id === "worker" ? response.text() : response.arrayBuffer())];
};
