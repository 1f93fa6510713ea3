// The grammar, as PEGTL rules: what follows what, and nothing else. The only file that includes PEGTL; only the parser
// and its builder include it. Left-factored: no rule begins like its sibling, so that nothing is parsed twice.
#pragma once

#include <tao/pegtl.hpp>
#include <tao/pegtl/contrib/limit_depth.hpp>
#include <tao/pegtl/contrib/parse_tree.hpp>

#include "grammar/words.hpp"

namespace ascribe::grammar {

using namespace tao::pegtl;  // NOLINT: the rules read like a grammar only without prefixes

// ------------------------------------------------------------------------------------------------------------ tokens
// Every token takes the blanks behind it along, so that a rule begins where its first word begins.

struct comment : seq<one<'#'>, star<not_one<'\n'>>> {};
struct blanks : star<sor<one<' ', '\t', '\r', '\n'>, comment>> {};
struct letter : sor<alpha, one<'_'>> {};
struct name_rest : star<sor<letter, digit>> {};

template <typename Text>
struct word : seq<Text, not_at<sor<letter, digit>>, blanks> {};
template <char C>
struct mark : seq<one<C>, blanks> {};

// word_rule, word_composite, …
#define ASCRIBE_WORD(text) \
  struct word_##text : word<TAO_PEGTL_STRING(#text)> {};
ASCRIBE_RESERVED_WORDS(ASCRIBE_WORD)
#undef ASCRIBE_WORD

template <typename, typename... Words>
using one_of_words = sor<Words...>;
#define ASCRIBE_WORD(text) , word_##text
struct reserved : one_of_words<void ASCRIBE_RESERVED_WORDS(ASCRIBE_WORD)> {};
#undef ASCRIBE_WORD

struct identifier : seq<not_at<reserved>, letter, name_rest> {};
struct name : seq<identifier, blanks> {};

struct digits : plus<digit> {};
struct exponent : seq<one<'e', 'E'>, opt<one<'+', '-'>>, digits> {};
struct number_text : seq<digits, opt<one<'.'>, digits>, opt<exponent>, not_at<letter>> {};
struct number : seq<number_text, blanks> {};
struct integer_text : seq<digits, not_at<sor<letter, one<'.'>>>> {};
struct integer : seq<integer_text, blanks> {};

struct string_text : seq<one<'"'>, star<sor<seq<one<'\\'>, any>, not_one<'"', '\\', '\n'>>>, one<'"'>> {};
struct string_literal : seq<string_text, blanks> {};

struct equals : seq<one<'='>, not_at<one<'=', '>'>>, blanks> {};
struct arrow : seq<string<'=', '>'>, blanks> {};
struct comma : mark<','> {};
struct semicolon : mark<';'> {};
struct open_parenthesis : mark<'('> {};
struct close_parenthesis : mark<')'> {};
struct open_bracket : mark<'['> {};
struct close_bracket : mark<']'> {};
struct open_brace : mark<'{'> {};
struct close_brace : mark<'}'> {};

template <typename Element, typename Close>
struct comma_list : seq<opt<Element, star<comma, not_at<Close>, Element>, opt<comma>>, Close> {};

// ------------------------------------------------------------------------------------------------------- expressions

struct expression;

struct path_text : seq<identifier, opt<one<'.'>, identifier>> {};
struct path : seq<path_text, blanks> {};
struct argument_name : seq<identifier, blanks, one<'='>, not_at<one<'=', '>'>>, blanks> {};
struct argument : seq<opt<argument_name>, expression> {};
struct arguments : seq<open_parenthesis, comma_list<argument, close_parenthesis>> {};
struct call : seq<path, opt<arguments>> {};

struct list : seq<open_bracket, comma_list<expression, close_bracket>> {};
struct group : seq<open_parenthesis, expression, close_parenthesis> {};
struct primary : sor<number, string_literal, list, group, call> {};

struct unary;
struct caret : mark<'^'> {};
struct minus : mark<'-'> {};
struct plus_sign : mark<'+'> {};
struct times : mark<'*'> {};
struct divided : mark<'/'> {};
struct power : seq<primary, opt<caret, unary>> {};
struct negation : seq<minus, unary> {};
struct unary : sor<negation, power> {};
struct product : seq<unary, star<sor<times, divided>, unary>> {};
struct sum : seq<product, star<sor<plus_sign, minus>, product>> {};

struct equal : seq<string<'=', '='>, blanks> {};
struct not_equal : seq<string<'!', '='>, blanks> {};
struct less_equal : seq<string<'<', '='>, blanks> {};
struct greater_equal : seq<string<'>', '='>, blanks> {};
struct less : mark<'<'> {};
struct greater : mark<'>'> {};
struct comparison_operator : sor<equal, not_equal, less_equal, greater_equal, less, greater> {};
struct comparison : seq<sum, opt<comparison_operator, sum, opt<word_within, sum>>> {};

struct inversion;
struct logical_not : seq<word_not, inversion> {};
struct inversion : sor<logical_not, comparison> {};
struct conjunction : seq<inversion, star<word_and, inversion>> {};
struct disjunction : seq<conjunction, star<word_or, conjunction>> {};
struct then_branch : seq<word_then> {};
struct else_branch : seq<word_else> {};
struct conditional : seq<word_if, expression, then_branch, expression, else_branch, expression> {};
struct expression : sor<conditional, disjunction> {};

// -------------------------------------------------------------------------------------------------------------- items

struct parameter_type : seq<sor<name, seq<at<sor<word_input, word_output, word_param>>, plus<alpha>, blanks>>> {};
struct parameter : seq<name, opt<mark<':'>, parameter_type>, opt<equals, expression>> {};
struct parameters : seq<open_parenthesis, comma_list<parameter, close_parenthesis>> {};

struct optional_semicolon : opt<semicolon> {};

struct stage_word : sor<word_input, word_output, word_map> {};
struct plain_modifier : seq<stage_word, equals, expression> {};
struct selector : sor<string_literal, list, name> {};
struct param_modifier : seq<word_param, opt<selector>, equals, expression> {};
struct modifier : sor<plain_modifier, param_modifier> {};
struct modifier_line : seq<modifier, optional_semicolon> {};
struct term : seq<word_term, name, open_brace, until<close_brace, modifier_line>> {};
struct let : seq<word_let, name, equals, expression> {};
struct outcome_word : sor<word_reduce, word_forward, word_backward> {};
struct outcome : seq<outcome_word, equals, expression> {};
struct require : seq<word_require, expression, opt<comma, string_literal>> {};
struct clause : sor<modifier, term, let, outcome, require> {};
struct clause_line : seq<clause, optional_semicolon> {};

struct alias : seq<equals, call> {};
struct rule_body : seq<open_brace, until<close_brace, clause_line>> {};
struct rule_definition : seq<word_rule, name, opt<parameters>, sor<alias, rule_body>> {};

struct count_word : sor<word_first, word_last> {};
struct count : seq<count_word, opt<integer>> {};
struct layers : sor<seq<name, opt<string_literal>>, string_literal> {};
struct entry : seq<opt<count>, layers, star<comma, layers>, arrow, call> {};
struct entry_line : seq<entry, optional_semicolon> {};
struct composite_body : seq<open_brace, until<close_brace, entry_line>> {};
struct composite_definition : seq<word_composite, name, opt<parameters>, sor<alias, composite_body>> {};

struct function_definition : seq<word_fn, name, parameters, equals, expression> {};

struct field : seq<name, equals, expression> {};
struct field_line : seq<field, optional_semicolon> {};
struct expect : seq<word_expect, expression, opt<word_fails, name>> {};
struct test_clause : sor<expect, let, field> {};
struct test_line : seq<test_clause, optional_semicolon> {};
struct test_definition : seq<word_test, string_literal, open_brace, until<close_brace, test_line>> {};

struct pack_definition : seq<word_pack, name, open_brace, until<close_brace, field_line>> {};
struct import_name : seq<word_as> {};
struct import_definition : seq<word_import, string_literal, import_name, name> {};

struct item : sor<rule_definition, composite_definition, function_definition, test_definition, pack_definition,
                  import_definition> {};
struct item_line : seq<item, optional_semicolon> {};
struct end_of_source : eof {};
struct single_call : seq<blanks, call, end_of_source> {};

// What is entered into a session: definitions, and values with a name or without, which a `;` separates from what
// follows.
struct statement : seq<opt<argument_name>, expression> {};
struct statement_line : seq<statement, sor<semicolon, end_of_source>> {};
struct session_input : seq<blanks, star<sor<item_line, statement_line>>, end_of_source> {};

}  // namespace ascribe::grammar
