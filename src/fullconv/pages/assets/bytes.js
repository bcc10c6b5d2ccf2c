// @ts-check
// Bytes in text, packed and unpacked by the browser.

/**
 * Send bytes through a compression or decompression stream. (A Blob cannot be read in a worker
 * that WebKit opened from a file.)
 * @param {Uint8Array} bytes
 * @param {{readable: ReadableStream, writable: WritableStream}} stream
 */
export async function pump(bytes, stream) {
  const writer = stream.writable.getWriter();
  const written = Promise.all([writer.write(bytes), writer.close()]);
  const read = new Response(stream.readable).arrayBuffer();
  return new Uint8Array((await Promise.all([read, written]))[0]);
}

/** Decode base64. @param {string} text */
export const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
