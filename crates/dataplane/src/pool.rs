//! Packets by handle. A freed packet keeps its buffer for the next one, so a steady flow allocates nothing.

/// A packet in the [`Pool`].
pub(crate) type Handle = u32;

/// No packet; also the end of a list.
pub(crate) const NONE: Handle = Handle::MAX;

#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) bytes: Vec<u8>,
    /// Which terminal and direction, as the engine numbers them.
    pub(crate) lane: u32,
    /// Its TTL ends at the PoP.
    pub(crate) expires: bool,
    /// It goes beyond the PoP's router, or comes from there.
    pub(crate) carried: bool,
    /// The packet behind this one in its queue (or in the list of free ones).
    next: Handle,
}

/// A first-in first-out queue of packets, linked through the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fifo {
    head: Handle,
    tail: Handle,
}

impl Fifo {
    pub(crate) const EMPTY: Self = Self {
        head: NONE,
        tail: NONE,
    };

    pub(crate) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    pub(crate) fn head(&self) -> Option<Handle> {
        (self.head != NONE).then_some(self.head)
    }
}

#[derive(Debug)]
pub(crate) struct Pool {
    packets: Vec<Packet>,
    free: Fifo,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self {
            packets: Vec::new(),
            free: Fifo::EMPTY,
        }
    }

    /// A packet with no bytes. Last freed, first used again: its buffer is the likeliest to be in the cache.
    pub(crate) fn take(&mut self, lane: u32) -> Handle {
        let handle = self.free.head;
        if handle == NONE {
            let handle = Handle::try_from(self.packets.len())
                .expect("fewer than 2^32 packets fit in memory");
            self.packets.push(Packet {
                bytes: Vec::new(),
                lane,
                expires: false,
                carried: false,
                next: NONE,
            });
            return handle;
        }
        let packet = &mut self.packets[handle as usize];
        self.free.head = packet.next;
        packet.bytes.clear();
        packet.lane = lane;
        packet.expires = false;
        packet.carried = false;
        handle
    }

    /// Gives a packet back. Its bytes stay readable until the next `take`.
    pub(crate) fn give(&mut self, handle: Handle) {
        self.packets[handle as usize].next = self.free.head;
        self.free.head = handle;
    }

    pub(crate) fn get(&self, handle: Handle) -> &Packet {
        &self.packets[handle as usize]
    }

    pub(crate) fn get_mut(&mut self, handle: Handle) -> &mut Packet {
        &mut self.packets[handle as usize]
    }

    pub(crate) fn len(&self, handle: Handle) -> usize {
        self.get(handle).bytes.len()
    }

    pub(crate) fn push(&mut self, queue: &mut Fifo, handle: Handle) {
        self.packets[handle as usize].next = NONE;
        match queue.tail {
            NONE => queue.head = handle,
            tail => self.packets[tail as usize].next = handle,
        }
        queue.tail = handle;
    }

    pub(crate) fn pop(&mut self, queue: &mut Fifo) -> Option<Handle> {
        let handle = queue.head()?;
        queue.head = self.packets[handle as usize].next;
        if queue.head == NONE {
            queue.tail = NONE;
        }
        Some(handle)
    }
}
