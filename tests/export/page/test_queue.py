"""The page's photos keep what belongs to them: corrections, and the model of their labels."""

from node import node

# The second worker packs labels as they are, and the model of `source` gives each photo its number.
SETUP = """
    globalThis.document = { getElementById: () => null };
    let pack = (labels) => labels.slice();
    globalThis.Worker = class {
      terminate() {}
      async postMessage({ id, action, given }) {
        try {
          this.onmessage({ data: { id, result: await pack(given[0], action) } });
        } catch (error) {
          this.onmessage({ data: { id, text: error.message } });
        }
      }
    };
    const { Queue } = await load("queue");
    const { restart } = await load("server");
    const told = { changed: [], failed: [] };
    // Of a large photo, as many labels as are painted.
    const predict = (file, model) => {
      const labels = new Uint8Array(30000).fill(model.number);
      labels[0] = file.number;
      return { width: 10000, height: 10000, labels, note: "" };
    };
    let reply = async (file, model) => predict(file, model);
    const queue = new Queue({ predict: (file, model) => reply(file, model) }, {
      changed: ({ file, editor }) => told.changed.push(
        [file.number, ...editor?.labels.slice(0, 2) ?? []]),
      failed: (item, error) => told.failed.push(String(error.message)),
      progress() {}, noted() {},
    });
    queue.model = { number: 7, palette: [] };
    const settled = async () => {
      for (let quiet = 0; quiet < 20; quiet++) await new Promise((resolve) => setTimeout(resolve));
    };
    const photos = (...numbers) => queue.add(numbers.map((number) => ({ number, name: "a.png" })));
    const paint = (item, label) => {
      item.editor.begin();
      item.editor.stroke(0, 0, 0, 0, 1, label);
      item.editor.finish();
      item.edited = item.editor.changed;
    };
"""


def run(code):
    return node(SETUP + code)


def test_a_correction_of_a_packed_photo_counts_after_a_later_one_is_undone():
    found = run("""
        const [first] = photos(1);
        await settled();
        paint(first, 9);
        await queue.open(photos(2)[0]);
        await settled();
        const packed = !first.editor;
        await queue.open(first);
        paint(first, 8);
        first.editor.undo();
        first.edited = first.editor.changed;
        await queue.predict(first);
        return [packed, first.edited, first.editor.labels[0]];""")
    assert found == [True, True, 9]


def test_a_photo_that_is_opened_while_it_is_packed_keeps_its_corrections():
    found = run("""
        const [first] = photos(1);
        await settled();
        let release;
        pack = async (labels) => {
          await new Promise((resolve) => (release = resolve));
          return labels.slice();
        };
        await queue.open(photos(2)[0]);
        await settled();
        await queue.open(first);
        paint(first, 9);
        release();
        await settled();
        return [first.editor?.labels[0] ?? null, first.state];""")
    assert found == [9, "done"]


def test_photos_that_cannot_be_packed_do_not_end_the_queue():
    found = run("""
        pack = async () => { throw new Error("no memory"); };
        const [first] = photos(1);
        await settled();
        await queue.open(photos(2)[0]);
        await settled();
        const [third] = photos(3);
        await settled();
        return [first.editor?.labels[0] ?? null, third.state];""")
    assert found == [1, "done"]


def test_labels_of_another_model_are_gone_with_it_and_corrections_stay():
    found = run("""
        const [first, second] = photos(1, 2);
        await settled();
        await queue.open(second);
        paint(second, 9);
        queue.model = { number: 8, palette: [] };
        reply = async () => { throw new Error("too small"); };
        told.changed = [];
        restart(queue);
        await settled();
        return [told.changed, first.state, await queue.mask(first), told.failed.length];""")
    assert found == [[[1], [2, 9, 7]], "failed", None, 2]


def test_a_prediction_of_the_former_model_that_comes_late_is_not_taken():
    found = run("""
        const predicted = [];
        reply = (file, model) => new Promise((resolve) => {
          predicted.push(() => resolve(predict(file, model)));
        });
        const [first] = photos(1);
        queue.model = { number: 8, palette: [] };
        restart(queue);
        predicted[0]();
        await settled();
        const before = first.editor;
        predicted[1]();
        await settled();
        return [before, first.state, told.changed];""")
    assert found == [None, "done", [[1], [1, 1, 8]]]


def test_an_error_of_the_former_model_that_comes_late_is_not_told():
    found = run("""
        reply = async () => { throw new Error("the former"); };
        const [first] = photos(1);
        reply = async (file, model) => predict(file, model);
        restart(queue);
        await settled();
        return [first.state, told.failed];""")
    assert found == ["done", []]
