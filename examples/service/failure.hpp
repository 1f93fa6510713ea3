// What goes wrong, as a client is told: a status and one JSON object {code, message, help}.
#pragma once

#include <ascribe/error.hpp>

#include <exception>
#include <string>

/// `code` is Ascribe's (`A0704`), or a word of the service's own (`busy`).
struct Failure : std::exception {
  Failure(int status, std::string code, std::string message, std::string help)
      : status(status), code(std::move(code)), message(std::move(message)), help(std::move(help)) {}
  const char* what() const noexcept override { return message.c_str(); }

  /// The first of the error's messages, with its place, and how many there are besides.
  static Failure of(const ascribe::Error& error);
  /// Whatever is being handled: a Failure, an Error, or another exception.
  static Failure of_current_exception();
  /// What is said where there is nothing but a status.
  static Failure of_status(int status);

  std::string json() const;

  int status;
  std::string code, message, help;
};
