// @ts-check
// The operations of a fully convolutional network, to be read: the page shows these very functions.
// Maps are { data, channels, height, width }: data[(c * height + i) * width + j] is channel c at
// row i, column j. Sums are computed in double precision and stored in single precision.

/** @typedef {{data: Float32Array, channels: number, height: number, width: number}} Maps */
/**
 * @typedef {object} Layer
 * @property {string} name @property {string} kind
 * @property {any} [weight] @property {any} [bias]
 * @property {number} [kernel] @property {number} [stride] @property {number} [padding]
 * @property {number} [dilation] @property {number} [groups] @property {boolean} [ceil]
 * @property {number} [channels] @property {any} [scale] @property {any} [shift]
 * @property {number} [factor]
 */

/** @param {number} channels @param {number} height @param {number} width @returns {Maps} */
export function newMaps(channels, height, width) {
  return { data: new Float32Array(channels * height * width), channels, height, width };
}

/** Return rows of numbers as one map. @param {number[][]} rows */
export function mapOf(rows) {
  return { data: Float32Array.from(rows.flat()), channels: 1, height: rows.length,
    width: rows[0].length };
}

/** Return a channel as rows of numbers. @param {Maps} x @param {number} c @returns {number[][]} */
export function rowsOf(x, c = 0) {
  return Array.from({ length: x.height }, (_, i) =>
    [...x.data.subarray((c * x.height + i) * x.width, (c * x.height + i + 1) * x.width)]);
}

/** @param {ArrayLike<number>} x @param {number[][]} weight @param {ArrayLike<number>} bias */
export function fullyConnected(x, weight, bias) {
  // y[k] = bias[k] + sum over c of weight[k][c] * x[c]
  return weight.map((row, k) => row.reduce((sum, w, c) => sum + w * x[c], bias[k]));
}

/** @param {number} length @param {Layer} layer */
export function outputLength(length, { kernel = 1, stride = 1, padding = 0, dilation = 1, ceil }) {
  const room = length + 2 * padding - dilation * (kernel - 1) - 1;
  if (!ceil) return Math.floor(room / stride) + 1;
  const count = Math.ceil(room / stride) + 1; // the last window may be partly filled,
  return (count - 1) * stride - padding >= length ? count - 1 : count; // but not begin outside
}

/** @param {Maps} x @param {Layer} layer @returns {Maps} */
export function convolution(x, layer) {
  // y[k](i, j) = bias[k] + sum over c, a, b of
  //   weight[k, c, a, b] * x[c](stride * i + a - padding, stride * j + b - padding)
  const { weight, bias, kernel = 1, stride = 1, padding = 0, dilation = 1, groups = 1 } = layer;
  const outputs = layer.channels ?? 1;
  const inputs = x.channels / groups; // each output sees these only
  const y = newMaps(outputs, outputLength(x.height, layer), outputLength(x.width, layer));
  const sums = new Float64Array(y.height * y.width);
  for (let k = 0; k < outputs; k++) {
    sums.fill(bias ? bias[k] : 0);
    const first = Math.floor(k / (outputs / groups)) * inputs;
    for (let c = 0; c < inputs; c++) {
      for (let a = 0; a < kernel; a++) {
        for (let b = 0; b < kernel; b++) {
          const w = weight[((k * inputs + c) * kernel + a) * kernel + b];
          const [down, across] = [a * dilation - padding, b * dilation - padding];
          const from = Math.max(0, Math.ceil(-across / stride)); // columns inside of x
          const to = Math.min(y.width, Math.floor((x.width - 1 - across) / stride) + 1);
          for (let i = 0; i < y.height; i++) {
            const row = stride * i + down;
            if (row < 0 || row >= x.height) continue; // padding is 0
            const at = ((first + c) * x.height + row) * x.width + across;
            for (let j = from; j < to; j++) sums[i * y.width + j] += w * x.data[at + stride * j];
          }
        }
      }
    }
    y.data.set(sums, k * sums.length);
  }
  return y;
}

/** @param {Maps} x @returns {Maps} */
export function relu(x) {
  return { ...x, data: x.data.map((value) => Math.max(value, 0)) };
}

/** @param {Maps} x @param {Layer} layer @returns {Maps} */
export function batchNorm(x, { scale, shift }) {
  // scale = gamma / sqrt(variance + epsilon), shift = beta - mean * scale
  const plane = x.height * x.width;
  return { ...x, data: x.data.map((value, at) => {
    const c = Math.floor(at / plane);
    return value * scale[c] + shift[c];
  }) };
}

/** @param {Maps} x @param {Layer} layer */
export function maxPool(x, layer) {
  // The largest value of each window, and its index in the plane, counted row by row.
  const { kernel = 2, stride = 2, padding = 0 } = layer;
  const y = newMaps(x.channels, outputLength(x.height, layer), outputLength(x.width, layer));
  const indices = new Int32Array(y.data.length);
  let out = 0;
  for (let c = 0; c < x.channels; c++) {
    for (let i = 0; i < y.height; i++) {
      for (let j = 0; j < y.width; j++, out++) {
        let best = -Infinity;
        for (let a = 0; a < kernel; a++) {
          for (let b = 0; b < kernel; b++) {
            const [row, column] = [stride * i + a - padding, stride * j + b - padding];
            if (row < 0 || column < 0 || row >= x.height || column >= x.width) continue;
            const value = x.data[(c * x.height + row) * x.width + column];
            if (value > best) [best, indices[out]] = [value, row * x.width + column];
          }
        }
        y.data[out] = best;
      }
    }
  }
  return { maps: y, indices };
}

/** @param {Maps} x @param {Int32Array} indices @param {number} height @param {number} width */
export function unpool(x, indices, height, width) {
  // Each value returns to the position that it was taken from; everything else is 0.
  const y = newMaps(x.channels, height, width);
  x.data.forEach((value, at) => {
    const c = Math.floor(at / (x.height * x.width));
    y.data[c * height * width + indices[at]] = value;
  });
  return y;
}

/** @param {number} size @returns {number[]} */
export function tent(size) {
  // The weights of bilinear interpolation along one axis: 1/4 3/4 3/4 1/4 for size 4.
  const factor = Math.ceil(size / 2);
  return Array.from({ length: size }, (_, a) => 1 - Math.abs(a - (size - 1) / 2) / factor);
}

/** @param {number[][]} x @param {number[][]} kernel @param {number} stride @returns {number[][]} */
export function transposedByScattering(x, kernel, stride) {
  // Each pixel adds its value times the kernel, `stride` pixels further than its neighbour.
  const [height, width] = [x.length, x[0].length];
  const [high, wide] = [kernel.length, kernel[0].length];
  const y = Array.from({ length: stride * (height - 1) + high }, () =>
    new Array(stride * (width - 1) + wide).fill(0));
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      for (let a = 0; a < high; a++) {
        for (let b = 0; b < wide; b++) y[stride * i + a][stride * j + b] += x[i][j] * kernel[a][b];
      }
    }
  }
  return y;
}

/** @param {number[][]} x @param {number} kernel @param {number} stride @returns {number[][]} */
export function insertZeros(x, kernel, stride) {
  // stride - 1 zeros between the pixels, and kernel - 1 around them.
  const length = (/** @type {number} */ n) => stride * (n - 1) + 1 + 2 * (kernel - 1);
  const y = Array.from({ length: length(x.length) }, () => new Array(length(x[0].length)).fill(0));
  x.forEach((row, i) => row.forEach((value, j) => {
    y[kernel - 1 + stride * i][kernel - 1 + stride * j] = value;
  }));
  return y;
}

/** @param {number[][]} x @param {number[][]} kernel @param {number} stride @returns {number[][]} */
export function transposedByInsertion(x, kernel, stride) {
  // An ordinary convolution of the dilated input, with the kernel rotated by 180 degrees.
  const dilated = insertZeros(x, kernel.length, stride);
  const rotated = kernel.map((row) => [...row].reverse()).reverse();
  const length = (/** @type {number} */ n) => n - kernel.length + 1;
  return Array.from({ length: length(dilated.length) }, (_, i) =>
    Array.from({ length: length(dilated[0].length) }, (_, j) =>
      rotated.reduce((sum, row, a) =>
        sum + row.reduce((part, w, b) => part + w * dilated[i + a][j + b], 0), 0)));
}

/** @param {number} height @param {number} width @param {number[][]} kernel @param {number} stride */
export function transposedMatrix(height, width, kernel, stride) {
  // One row for each pixel of the output, one column for each of the input (height x width). Its
  // transpose is the matrix of a convolution from the output's size to the input's.
  const size = kernel.length;
  const columns = stride * (width - 1) + size;
  const rows = (stride * (height - 1) + size) * columns;
  const matrix = Array.from({ length: rows }, () => new Array(height * width).fill(0));
  for (let i = 0; i < height; i++) {
    for (let j = 0; j < width; j++) {
      for (let a = 0; a < size; a++) {
        for (let b = 0; b < size; b++) {
          matrix[(stride * i + a) * columns + stride * j + b][i * width + j] = kernel[a][b];
        }
      }
    }
  }
  return matrix;
}

/** @param {number[][]} matrix @param {number[]} vector */
export function timesVector(matrix, vector) {
  return matrix.map((row) => row.reduce((sum, value, c) => sum + value * vector[c], 0));
}

/** @param {Maps} x @param {Layer} layer @returns {Maps} */
export function transposedConvolution(x, layer) {
  // Without weights, each channel is upsampled alone by the kernel of bilinear interpolation.
  const { kernel = 1, stride = 1, weight } = layer;
  const y = newMaps(x.channels, stride * (x.height - 1) + kernel, stride * (x.width - 1) + kernel);
  const sums = new Float64Array(y.data.length);
  const along = tent(kernel);
  for (let c = 0; c < x.channels; c++) {
    for (let k = weight ? 0 : c; k < (weight ? x.channels : c + 1); k++) {
      for (let a = 0; a < kernel; a++) {
        for (let b = 0; b < kernel; b++) {
          const w = weight ? weight[((c * x.channels + k) * kernel + a) * kernel + b]
            : along[a] * along[b];
          if (!w) continue;
          for (let i = 0; i < x.height; i++) {
            const at = (k * y.height + stride * i + a) * y.width + b;
            const from = (c * x.height + i) * x.width;
            for (let j = 0; j < x.width; j++) sums[at + stride * j] += w * x.data[from + j];
          }
        }
      }
    }
  }
  y.data.set(sums);
  return y;
}

/** @param {Maps} x @param {number[]} rows @param {number[]} columns @returns {Maps} */
export function interpolate(x, rows, columns) {
  // Bilinear interpolation at positions of x; those outside take the outermost pixels.
  const y = newMaps(x.channels, rows.length, columns.length);
  const clamp = (/** @type {number} */ p, /** @type {number} */ length) =>
    Math.min(Math.max(p, 0), length - 1);
  let out = 0;
  for (let c = 0; c < x.channels; c++) {
    for (const row of rows) {
      const p = clamp(row, x.height);
      const [top, down] = [Math.floor(p), p - Math.floor(p)];
      const upper = (c * x.height + top) * x.width;
      const lower = (c * x.height + Math.min(top + 1, x.height - 1)) * x.width;
      for (const column of columns) {
        const q = clamp(column, x.width);
        const [left, across] = [Math.floor(q), q - Math.floor(q)];
        const right = Math.min(left + 1, x.width - 1);
        const above = x.data[upper + left] * (1 - across) + x.data[upper + right] * across;
        const below = x.data[lower + left] * (1 - across) + x.data[lower + right] * across;
        y.data[out++] = above * (1 - down) + below * down;
      }
    }
  }
  return y;
}

/** @param {Maps} x @param {Layer} layer @returns {Maps} */
export function bilinearUpsample(x, { factor = 2, kernel = 4 }) {
  // The pixels of a transposed convolution with this kernel, but edges are repeated.
  const at = (/** @type {number} */ length) =>
    Array.from({ length: factor * (length - 1) + kernel }, (_, i) => (i - (kernel - 1) / 2) / factor);
  return interpolate(x, at(x.height), at(x.width));
}

/** @param {Maps} x @param {number} height @param {number} width @returns {Maps} */
export function cornerResize(x, height, width) {
  // The corner pixels stay: position i (n - 1) / (m - 1).
  const at = (/** @type {number} */ old, /** @type {number} */ size) =>
    Array.from({ length: size }, (_, i) => (i * (old - 1)) / Math.max(size - 1, 1));
  return interpolate(x, at(x.height, height), at(x.width, width));
}

/** @param {Maps} x @param {number} offset @param {number} height @param {number} width */
export function crop(x, offset, height, width) {
  if (offset + height > x.height || offset + width > x.width) throw new RangeError("crop");
  const y = newMaps(x.channels, height, width);
  for (let c = 0; c < x.channels; c++) {
    for (let i = 0; i < height; i++) {
      const from = (c * x.height + offset + i) * x.width + offset;
      y.data.set(x.data.subarray(from, from + width), (c * height + i) * width);
    }
  }
  return y;
}

/** @param {Maps} x @param {Maps} other @returns {Maps} */
export function sum(x, other) {
  return { ...x, data: x.data.map((value, at) => value + other.data[at]) };
}

/** @param {Maps} score @returns {Uint16Array} */
export function bestClass(score) {
  const plane = score.height * score.width;
  return Uint16Array.from({ length: plane }, (_, at) => {
    let best = 0;
    for (let k = 1; k < score.channels; k++) {
      if (score.data[k * plane + at] > score.data[best * plane + at]) best = k;
    }
    return best;
  });
}
