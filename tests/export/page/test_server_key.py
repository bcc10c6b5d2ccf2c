"""The key of the server, as a user types it."""

from node import node

ASK = """
    globalThis.document = { baseURI: "http://127.0.0.1/" };
    globalThis.fetch = async (url, { headers }) => {
      const sent = new Headers(headers).get("Authorization"); // throws for other characters
      return new Response("[]", { status: sent === "Bearer right" ? 200 : 401 });
    };
    const { openSource } = await load("server");
    const source = openSource({});
    let asked = 0;
    source.askKey = async () => given.typed[asked++] ?? "";
    const error = await source.start().then(() => null, (error) => error.message);
    return [asked, error];
"""


def test_a_key_that_no_header_holds_is_asked_for_again():
    assert node(ASK, typed=["ключ", "wrong", "a b", " right\n"]) == [4, None]


def test_no_key_ends_the_question():
    assert node(ASK, typed=["wrong", ""]) == [2, "noKey"]
