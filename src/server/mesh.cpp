// SPDX-FileCopyrightText: 2026 The Spillway authors
// SPDX-License-Identifier: Apache-2.0
#include "server/mesh.h"

#include <algorithm>

#include <spillway/limits.h>

namespace spillway::server {
namespace {

/// Rings of one process together stay within a few dozen MiB whatever the number of cores.
std::size_t default_capacity(std::size_t cores) { return cores <= 8 ? 4096 : 1024; }

}  // namespace

Mesh::Mesh(std::size_t cores, std::size_t capacity)
    : cores_(cores), capacity_(capacity != 0 ? capacity : default_capacity(cores)), ends_(new End[cores + 1]) {
    SPILLWAY_ASSERT(cores >= 1 && cores <= kCoresMax);
    const std::size_t n = endpoints();
    boxes_.reserve(n * n);
    // To and from the control thread little is said: a first lap takes months, and would look like a leak as long.
    using Box = base::SpscQueue<Envelope>;
    for (std::size_t i = 0; i < n * n; ++i) {
        const bool control = i / n == cores_ || i % n == cores_;
        boxes_.push_back(std::make_unique<Box>(capacity_, control ? Box::Pages::at_once : Box::Pages::on_first_lap));
    }
}

MeshPort::MeshPort(Mesh& mesh, CoreId self)
    : mesh_(mesh),
      self_(self),
      margin_(std::min<std::size_t>(kPublishMax, mesh.capacity() / 4)),
      peers_(mesh.endpoints()) {
    for (std::size_t to = 0; to < peers_.size(); ++to) refresh_room(static_cast<CoreId>(to));
}

void MeshPort::put_by(CoreId to, const Envelope& envelope) {
    if (peers_[to].staged != 0) publish(to);
    peers_[to].outbox.push_back(envelope);
    ++waiting_;
    tight_ = true;
}

void MeshPort::look_at_room(CoreId to) {
    refresh_room(to);
    if (peers_[to].room <= margin_) tight_ = true;
}

bool MeshPort::may_publish(CoreId home, std::size_t count) {
    Peer& peer = peers_[home];
    // Half a ring of credit; a request that is larger than that waits until the home has taken everything before it.
    const bool credit = (peer.published + count <= mesh_.capacity() / 2 && !is_slowed(home)) || peer.published == 0;
    if (peer.room < count) refresh_room(home);
    const bool possible = peer.outbox.empty() && credit && (peer.room >= count || peer.room == mesh_.capacity());
    if (!possible) tight_ = true;
    return possible;
}

void MeshPort::take_credit(CoreId home, std::uint32_t count) {
    SPILLWAY_ASSERT(peers_[home].published >= count);
    peers_[home].published -= count;
}

bool MeshPort::congested(CoreId to) {
    Peer& peer = peers_[to];
    if (!peer.outbox.empty()) return true;
    const bool behind = mesh_.ends_[to].behind.load(std::memory_order_relaxed);
    if (!behind && peer.room > mesh_.capacity() / 2) return false;
    refresh_room(to);
    return peer.room * 5 <= mesh_.capacity() || (behind && peer.room + kSlowDepth <= mesh_.capacity());
}

void MeshPort::flush() {
    tight_ = false;
    for (std::size_t i = 0; i < peers_.size(); ++i) {
        const auto to = static_cast<CoreId>(i);
        Peer& peer = peers_[i];
        bool refresh = peer.room <= mesh_.capacity() / 2;
        while (!peer.outbox.empty() && mesh_.box(self_, to).try_stage(peer.outbox.front())) {
            peer.outbox.pop_front();
            ++peer.staged;
            refresh = peer.dirty = true;
            --waiting_;
        }
        if (peer.staged != 0) publish(to);
        if (refresh) refresh_room(to);
        if (peer.room <= margin_ || out_of_credit(to)) tight_ = true;
        if (!peer.dirty) continue;
        peer.dirty = false;
        if (to == self_) continue;
        Mesh::End& end = mesh_.ends_[to];
        if (end.asleep.exchange(0, std::memory_order_seq_cst) != 0 && end.ring != nullptr) {
            end.ring->wake();
            ++wakes_;
        }
    }
}

bool MeshPort::inbox_empty() {
    for (std::size_t from = 0; from < mesh_.endpoints(); ++from)
        if (!mesh_.box(static_cast<CoreId>(from), self_).empty_from_consumer()) return false;
    return true;
}

std::size_t MeshPort::depth() {
    std::size_t sum = waiting_;
    for (std::size_t to = 0; to < peers_.size(); ++to) {
        refresh_room(static_cast<CoreId>(to));
        sum += mesh_.capacity() - peers_[to].room;
    }
    return sum;
}

bool MeshPort::may_sleep() {
    mesh_.ends_[self_].asleep.exchange(1, std::memory_order_seq_cst);
    if (inbox_empty()) return true;
    awake();
    return false;
}

}  // namespace spillway::server
