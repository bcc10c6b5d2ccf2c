// @ts-check
// Every text of the page, in English and Chinese. {0}, {1} are filled in.

import { TEXTS } from "../../../pages/assets/language.js";

Object.assign(TEXTS, {
  title: ["Segment photos", "照片语义分割"],
  language: ["Language", "语言"],
  private: [
    "Photos stay in this browser: this page cannot send anything.",
    "照片只留在本浏览器中：本页面无法发送任何数据。"],
  choose: ["Choose photos", "选择照片"],
  camera: ["Camera", "拍照"],
  hint: ["Drop photos anywhere on the page, or paste one.", "也可将照片拖放到页面任意处，或粘贴照片。"],
  model: ["Model", "模型"],
  photos: ["Photos", "照片列表"],
  canvas: [
    "Photo with prediction. Arrow keys move the cursor, with Shift by 10; Enter applies the tool.",
    "照片与预测结果。方向键移动光标，按住 Shift 每次移动 10 像素；回车键使用工具。"],
  opacity: ["Opacity", "不透明度"],
  zoom: ["Zoom", "缩放"],
  fit: ["fit", "适合"],
  classes: ["Classes", "类别"],
  show: ["Show {0}", "显示 {0}"],
  paint: ["Paint with {0}", "用 {0} 绘制"],
  correct: ["Correct", "修正"],
  look: ["Look", "查看"],
  brush: ["Brush", "画笔"],
  eraser: ["Eraser", "橡皮"],
  fill: ["Fill", "填充"],
  size: ["Brush size", "画笔大小"],
  undo: ["Undo", "撤销"],
  redo: ["Redo", "重做"],
  download: ["Download", "下载"],
  mask: ["Mask (PNG)", "标签图 (PNG)"],
  overlay: ["Overlay (PNG)", "叠加图 (PNG)"],
  masks: ["All masks (ZIP)", "全部标签图 (ZIP)"],
  dataset: ["Corrected photos as a data set (ZIP)", "修正后的照片数据集 (ZIP)"],
  keep: ["Save photo and mask on the server", "将照片和标签图保存到服务器"],
  unlabelled: ["not labelled", "未标注"],
  next: ["then {0}", "其次 {0}"],
  at: ["column {0}, row {1}", "第 {0} 列，第 {1} 行"],
  starting: ["Starting the model …", "正在启动模型……"],
  working: ["Segmenting {0} ({1} left) …", "正在分割 {0}（剩余 {1}）……"],
  ready: ["Ready.", "就绪。"],
  checking: ["Self-check …", "自检中……"],
  checked: [
    "Self-check passed: labels in this browser are those of fullconv.",
    "自检通过：本浏览器的结果与 fullconv 一致。"],
  unchecked: [
    "Self-check failed ({0}): labels in this browser may differ from those of fullconv.",
    "自检未通过（{0}）：本浏览器的结果可能与 fullconv 不同。"],
  remove: ["Remove {0}", "移除 {0}"],
  emptyFile: ["the file is empty", "文件为空"],
  animated: ["several images in one file; save the right one alone", "文件含多幅图像；请单独保存所需的一幅"],
  deep: [
    "more than 8 bits a channel; convert it, and choose which values become black and white",
    "每通道超过 8 位；请先转换，并选定黑白对应的数值"],
  notAPhoto: [
    "not a photo that browsers read; save it as JPEG, PNG, WebP, BMP or AVIF",
    "浏览器无法读取此文件；请另存为 JPEG、PNG、WebP、BMP 或 AVIF"],
  damaged: [
    "a {0} file that this browser cannot decode; it is damaged, or too large for its memory",
    "浏览器无法解码此 {0} 文件：文件损坏，或超出浏览器内存"],
  noMemory: [
    "this browser's memory is too small for a photo that the network gets at {0} megapixels ({1}); scale it down, or use `fullconv predict`",
    "浏览器内存不足，无法以 {0} 百万像素运行网络（{1}）；请缩小照片，或使用 `fullconv predict`"],
  tooSmall: ["{0} x {1} pixels; this model takes at least {2} x {3}", "{0} x {1} 像素；此模型至少需要 {2} x {3}"],
  otherSize: ["{0} x {1} pixels for the network; this file takes {2} x {3} only", "网络输入为 {0} x {1} 像素；此文件只接受 {2} x {3}"],
  transparent: [
    "the file has transparent parts, whose hidden colours this browser may change: labels there may differ",
    "文件含透明区域，浏览器可能改变其隐藏颜色：该处标签可能不同"],
  cancel: ["Cancel", "取消"],
  take: ["Take photo", "拍摄"],
  noCamera: ["no camera can be used", "无法使用摄像头"],
  licences: ["Licences", "许可证"],
  shortcuts: [
    "Keys: L look, B brush, E eraser, F fill, [ ] brush size, Ctrl+Z undo, Ctrl+Y redo, + - zoom.",
    "快捷键：L 查看，B 画笔，E 橡皮，F 填充，[ ] 画笔大小，Ctrl+Z 撤销，Ctrl+Y 重做，+ - 缩放。"],
});
