// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "protocol/json.h"

#include <algorithm>
#include <bit>
#include <utility>

#include <yyjson.h>

#include <spillway/limits.h>

namespace spillway::protocol {
namespace {

constexpr yyjson_read_flag kReadFlags = YYJSON_READ_NUMBER_AS_RAW;

/// The smallest arena: messages of up to some 300 bytes.
constexpr std::size_t kArenaBytesMin = 4096;

constexpr bool opens(char c) { return c == '{' || c == '['; }
constexpr bool closes(char c) { return c == '}' || c == ']'; }
constexpr bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// Behind the string whose first quote is at `at`, or `end`.
const char* skip_string(const char* at, const char* end) {
    for (++at; at < end; ++at) {
        if (*at == '"') return at + 1;
        if (*at == '\\') ++at;
    }
    return end;
}

const char* skip_space(const char* at, const char* end) {
    while (at < end && is_space(*at)) ++at;
    return at;
}

/// Behind the value that begins at `at`, in text known to be valid.
const char* skip_value(const char* at, const char* end) {
    std::size_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else if (opens(*at)) {
            ++depth;
            ++at;
        } else if (closes(*at)) {
            if (depth == 0) return at;  // the container's own end: the value was a number or a literal
            --depth;
            ++at;
        } else if (depth == 0) {
            while (at < end && !is_space(*at) && *at != ',' && !closes(*at)) ++at;
        } else {
            ++at;
            continue;
        }
        if (depth == 0) return at;
    }
    return end;
}

}  // namespace

JsonKind JsonValue::kind() const {
    switch (yyjson_get_type(value_)) {
        case YYJSON_TYPE_NULL: return JsonKind::null;
        case YYJSON_TYPE_BOOL: return JsonKind::boolean;
        case YYJSON_TYPE_RAW: return JsonKind::number;  // all numbers are read raw, nothing else is
        case YYJSON_TYPE_STR: return JsonKind::string;
        case YYJSON_TYPE_ARR: return JsonKind::array;
        case YYJSON_TYPE_OBJ: return JsonKind::object;
        default: return JsonKind::absent;
    }
}

bool JsonValue::is_absent_or_null() const { return value_ == nullptr || yyjson_is_null(value_); }

std::string_view JsonValue::text() const {
    if (yyjson_is_str(value_)) return {yyjson_get_str(value_), yyjson_get_len(value_)};
    if (yyjson_is_raw(value_)) return {yyjson_get_raw(value_), yyjson_get_len(value_)};
    return {};
}

std::size_t JsonValue::size() const { return yyjson_is_ctn(value_) ? yyjson_get_len(value_) : 0; }

JsonValue JsonValue::member(std::string_view name) const { return find(name).value; }

JsonMember JsonValue::find(std::string_view name) const {
    JsonMember found;
    if (!yyjson_is_obj(value_)) return found;  // the loop below looks behind its object before it asks
    std::size_t index = 0;
    std::size_t count = 0;
    yyjson_val* key = nullptr;
    yyjson_val* value = nullptr;
    yyjson_obj_foreach(value_, index, count, key, value) {
        if (std::string_view(yyjson_get_str(key), yyjson_get_len(key)) == name) found = {JsonValue(value), index};
    }
    return found;
}

JsonElements::JsonElements(JsonValue array) : left_(yyjson_arr_size(array.value_)) {
    if (left_ > 0) next_ = unsafe_yyjson_get_first(array.value_);
}

JsonValue JsonElements::next() {
    if (left_ == 0) return {};
    yyjson_val* const current = next_;
    if (--left_ > 0) next_ = unsafe_yyjson_get_next(current);
    return JsonValue(current);
}

JsonText::JsonText(std::string_view container)
    : at_(skip_space(container.data(), container.data() + container.size())),
      end_(container.data() + container.size()),
      object_(at_ < end_ && *at_ == '{') {
    if (at_ < end_) ++at_;
}

std::string_view JsonText::next() {
    at_ = skip_space(at_, end_);
    if (at_ < end_ && *at_ == ',') at_ = skip_space(at_ + 1, end_);
    if (at_ >= end_ || closes(*at_)) return {};
    if (object_) {
        at_ = skip_space(skip_string(at_, end_), end_);       // the name
        at_ = skip_space(at_ < end_ ? at_ + 1 : end_, end_);  // the colon
    }
    const char* const value = at_;
    at_ = skip_value(at_, end_);
    return {value, at_};
}

std::string_view raw_member(std::string_view object_text, std::size_t index) {
    JsonText values(object_text);
    for (; index > 0; --index) static_cast<void>(values.next());
    return values.next();
}

JsonArena::JsonArena() = default;

JsonArena::JsonArena(JsonArena&& other) noexcept
    : memory_(std::move(other.memory_)),
      memory_bytes_(std::exchange(other.memory_bytes_, 0)),
      large_document_(std::exchange(other.large_document_, nullptr)) {}

JsonArena& JsonArena::operator=(JsonArena&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(memory_bytes_, other.memory_bytes_);
    std::swap(large_document_, other.large_document_);
    return *this;
}

JsonArena::~JsonArena() { drop_document(); }

void JsonArena::drop_document() { yyjson_doc_free(std::exchange(large_document_, nullptr)); }

std::expected<JsonValue, JsonError> JsonArena::parse(std::string_view text) {
    drop_document();
    if (nests_deeper_than(text, kJsonDepthMax)) return std::unexpected(JsonError{"JSON is nested too deeply"});

    yyjson_alc pool;
    const yyjson_alc* allocator = nullptr;  // the process's own
    const std::size_t needed = yyjson_read_max_memory_usage(text.size(), kReadFlags);
    if (text.size() <= kKeptTextBytesMax) {
        if (memory_bytes_ < needed) {
            memory_bytes_ = std::max(kArenaBytesMin, std::bit_ceil(needed));
            memory_ = std::make_unique_for_overwrite<char[]>(memory_bytes_);
        }
        yyjson_alc_pool_init(&pool, memory_.get(), memory_bytes_);
        allocator = &pool;
    }
    // Not in situ, so the text is only read.
    yyjson_read_err error{};
    yyjson_doc* const document =
        yyjson_read_opts(const_cast<char*>(text.data()), text.size(), kReadFlags, allocator, &error);
    if (document == nullptr) return std::unexpected(JsonError{"Not valid JSON"});
    if (allocator == nullptr) large_document_ = document;
    return JsonValue(yyjson_doc_get_root(document));
}

bool nests_deeper_than(std::string_view text, std::size_t depth_max) {
    // Few brackets cannot nest deeply; counting them runs at memory speed, and nearly every message ends here.
    const auto brackets = std::ranges::count_if(text, [](char c) { return (c | 0x20) == '{'; });
    if (static_cast<std::size_t>(brackets) <= depth_max) return false;
    std::size_t depth = 0;
    const char* const end = text.data() + text.size();
    for (const char* at = text.data(); at < end;) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if (opens(*at) && ++depth > depth_max) return true;
        if (closes(*at) && depth > 0) --depth;
        ++at;
    }
    return false;
}

}  // namespace spillway::protocol
