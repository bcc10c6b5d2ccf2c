"""Select the problems of an inventory by their kind."""


def with_code(stock, *codes):
    return [problem for problem in stock.problems if problem.error.code in codes]
