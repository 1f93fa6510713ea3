// The reserved words of the language: the one list of them. The grammar's rules for words, what is reserved, completion
// and messages are made from it; the editors' grammar and the fuzzer's dictionary are held against it by tests
// (tests/language/editor_grammar_test.cpp, tests/fuzz/dictionary_test.cpp). A macro, because a word is a text here and
// a rule's name there.
#pragma once

// clang-format off
#define ASCRIBE_RESERVED_WORDS(WORD) \
  WORD(rule) WORD(composite) WORD(fn) WORD(test) WORD(pack) WORD(import) WORD(as) WORD(term) WORD(input) \
  WORD(param) WORD(output) WORD(map) WORD(reduce) WORD(forward) WORD(backward) WORD(let) WORD(require) WORD(first) \
  WORD(last) WORD(expect) WORD(fails) WORD(within) WORD(if) WORD(then) WORD(else) WORD(and) WORD(or) WORD(not)
// clang-format on
