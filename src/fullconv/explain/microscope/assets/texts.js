// @ts-check
// Texts that several chambers use; each chamber adds its own.

import { TEXTS } from "../../../pages/assets/language.js";

Object.assign(TEXTS, {
  title: ["Network microscope", "网络显微镜"],
  language: ["Language", "语言"],
  chambers: ["Chambers", "各展厅"],
  code: ["Show the code", "查看代码"],
  codeNote: [
    "The numbers above come from these functions of this page.",
    "上面的数字就是由本页面的这些函数算出来的。"],
  computing: ["Computing the network …", "正在计算网络……"],
  failed: ["This page cannot run here: {0}", "本页面无法在此运行：{0}"],
  private: ["Works offline: this page cannot send anything.", "可离线使用：本页面无法发送任何数据。"],
  about: ["{0}, {1} on a photo of {2} x {3} pixels", "{0}，{1}，照片为 {2} x {3} 像素"],
  scaled: ["; the photo was scaled from {0} x {1}", "；照片由 {0} x {1} 缩放而来"],
  live: ["All of the network is in this page and runs here.", "整个网络都在本页面中，并在此运行。"],
  recorded: [
    "The network is too large for this page: maps were computed by PyTorch, and some parts kept.",
    "网络太大，放不进本页面：特征图由 PyTorch 算好，只保留了一部分。"],
  fewerClasses: [
    "{0} of {1} classes are in the page: the most frequent predictions. Sums are compared among these only.",
    "页面中保留了 {1} 个类别中的 {0} 个：预测中最常见的。得分之和只在它们之间比较。"],
  fewerFeatures: [
    "{0} of {1} channels of the last feature are in the page; of the others, the sums of their products, computed by PyTorch.",
    "最后一个特征的 {1} 个通道中保留了 {0} 个；其余通道只保留由 PyTorch 算好的乘积之和。"],
  keys: [
    "Keyboard: Tab to a picture or table, then the arrow keys; with Shift in steps of 10.",
    "键盘：按 Tab 选中图片或表格，再用方向键移动；按住 Shift 每次移动 10 格。"],
  input: ["Input", "输入"],
  output: ["Output", "输出"],
  kernel: ["Kernel", "卷积核"],
  stride: ["Stride", "步长"],
  class: ["Class", "类别"],
  channel: ["Channel", "通道"],
  reset: ["Reset", "重置"],
});
