// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "http/response.h"

#include <array>
#include <charconv>
#include <cstddef>

#include "base/assert.h"

namespace spillway::http {
namespace {

void append_number(std::string& out, std::size_t number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

/// A value may hold what a client sent: without line ends it cannot become a header or a response of its own.
void append_value(std::string& out, std::string_view value) {
    const std::size_t begin = out.size();
    out.append(value);
    for (std::size_t i = begin; i < out.size(); ++i) {
        const auto c = static_cast<unsigned char>(out[i]);
        if ((c < 0x20 && c != '\t') || c == 0x7F) out[i] = ' ';
    }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ");
    append_value(out, value);
    out.append("\r\n");
}

void append_status_line(std::string& out, int status) {
    SPILLWAY_ASSERT(status >= 100 && status <= 599);
    out.append("HTTP/1.1 ");
    append_number(out, static_cast<std::size_t>(status));
    out.append(" ").append(reason_phrase(status)).append("\r\n");
}

constexpr bool has_content(int status) { return status >= 200 && status != 204 && status != 304; }

}  // namespace

Reply reply_to(const Request& request) noexcept {
    return {.keep_alive = request.keep_alive,
            .head_only = request.method == "HEAD",
            .minor_version = request.minor_version};
}

std::string_view reason_phrase(int status) noexcept {
    switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 402: return "Payment Required";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 421: return "Misdirected Request";
        case 422: return "Unprocessable Content";
        case 426: return "Upgrade Required";
        case 428: return "Precondition Required";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 511: return "Network Authentication Required";
        default: return "Unknown";
    }
}

void write_response(std::string& out, int status, std::string_view content_type, std::string_view body,
                    const Reply& reply) {
    append_status_line(out, status);
    if (has_content(status)) {
        if (!content_type.empty()) append_field(out, "Content-Type", content_type);
        out.append("Content-Length: ");
        append_number(out, body.size());
        out.append("\r\n");
    }
    if (!reply.keep_alive) {
        out.append("Connection: close\r\n");
    } else if (reply.minor_version == 0) {
        out.append("Connection: keep-alive\r\n");
    }
    for (const Header& header : reply.headers) append_field(out, header.name, header.value);
    out.append("\r\n");
    if (has_content(status) && !reply.head_only) out.append(body);
}

void write_json(std::string& out, int status, std::string_view json, const Reply& reply) {
    write_response(out, status, "application/json", json, reply);
}

void write_text(std::string& out, int status, std::string_view text, const Reply& reply) {
    write_response(out, status, "text/plain; charset=utf-8", text, reply);
}

void write_continue(std::string& out) { out.append("HTTP/1.1 100 Continue\r\n\r\n"); }

void write_switching_protocols(std::string& out, std::span<const Header> headers) {
    append_status_line(out, 101);
    out.append("Connection: Upgrade\r\n");
    for (const Header& header : headers) append_field(out, header.name, header.value);
    out.append("\r\n");
}

}  // namespace spillway::http
