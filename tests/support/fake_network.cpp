// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "fake_network.h"

#include <algorithm>

namespace spillway::test {

FakeConnection::FakeConnection(std::size_t window_bytes, std::uint16_t port) : window(window_bytes) {
    address.address.bytes[10] = address.address.bytes[11] = 0xFF;  // 127.0.0.1, v4-mapped
    address.address.bytes[12] = 127;
    address.address.bytes[15] = 1;
    address.port = port;
}

std::size_t FakeConnection::send(std::string_view bytes) {
    if (peer_gone || peer_finished || broken) return 0;
    if (server_closed) {
        broken = true;
        return 0;
    }
    const std::size_t n = std::min(bytes.size(), inbound_max - std::min(inbound_max, inbound.size()));
    if (!read_shut) inbound.append(bytes.substr(0, n));
    return n;
}

std::string FakeConnection::read(std::size_t most) {
    const std::size_t n = std::min(most, outbound.size());
    std::string out = outbound.substr(0, n);
    outbound.erase(0, n);
    return out;
}

void FakeConnection::close() {
    if (peer_gone) return;
    if (!outbound.empty()) broken = true;  // closed with unread bytes: a reset at once
    peer_finished = peer_gone = true;
    outbound.clear();
}

void FakeConnection::reset() {
    if (peer_gone) return;
    peer_gone = broken = true;
    outbound.clear();
    inbound.clear();
}

void FakeConnection::fail(int why) {
    if (peer_gone || server_closed || broken) return;
    broken = true;
    error = why;
    outbound.clear();
}

std::size_t FakeConnection::room() const {
    const std::size_t capacity = window + send_buffer;
    return capacity - std::min(capacity, outbound.size());
}

void FakeConnection::take_in(std::string_view bytes) {
    if (tap != nullptr) tap->took(bytes);
    if (peer_gone) {
        if (!bytes.empty()) broken = true;  // taken, and answered with a reset
    } else {
        outbound += bytes;
    }
}

void FakeConnection::closed_by_server() {
    server_closed = true;
    fd = -1;
    if (!inbound.empty()) broken = true;
    inbound.clear();
}

int FakeNetwork::lowest_free() {
    for (std::size_t i = 0; i < table_.size(); ++i)
        if (!table_[i].open) return kFirst + static_cast<int>(i);
    table_.emplace_back();
    return kFirst + static_cast<int>(table_.size() - 1);
}

int FakeNetwork::listen() {
    const int fd = lowest_free();
    Entry& entry = table_[index(fd)];
    entry = {};
    entry.open = entry.listener = true;
    return fd;
}

std::shared_ptr<FakeConnection> FakeNetwork::connect(int listener, std::size_t window) {
    sim_check(is_listener(listener), "connects to a descriptor that listens");
    auto connection = std::make_shared<FakeConnection>(window, next_port_++);
    table_[index(listener)].backlog.push_back(connection);
    return connection;
}

FakeConnection* FakeNetwork::connection(int fd) const {
    return is_open(fd) ? table_[index(fd)].connection.get() : nullptr;
}

int FakeNetwork::accept(int listener) {
    auto& backlog = table_[index(listener)].backlog;
    const auto connection = backlog.front();
    backlog.pop_front();
    const int fd = lowest_free();
    Entry& entry = table_[index(fd)];
    entry = {};
    entry.open = true;
    entry.connection = connection;
    connection->fd = fd;
    ++accepted_;
    return fd;
}

void FakeNetwork::close(int fd) {
    sim_check(is_open(fd), "closes only descriptors that are open");
    Entry& entry = table_[index(fd)];
    sim_check(entry.operations == 0, "closes no descriptor while an operation is in flight on it");
    if (entry.connection) {
        entry.connection->closed_by_server();
        ++closed_;
    }
    for (const auto& waiting : entry.backlog) waiting->broken = true;  // whoever waited for an accept is reset
    entry = {};
}

void FakeNetwork::begin_operation(int fd) {
    if (is_open(fd)) ++table_[index(fd)].operations;
}

void FakeNetwork::end_operation(int fd) {
    if (is_open(fd)) --table_[index(fd)].operations;
}

std::size_t FakeNetwork::open_connections() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(table_, [](const Entry& e) { return e.connection != nullptr; }));
}

}  // namespace spillway::test
