//! Service tiers.

use std::fmt;

/// The service tier by which a call is billed. It is the tier that *served* the call, as the response
/// states it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// The ordinary price.
    #[default]
    Standard,
    /// The batch API.
    Batch,
    /// A cheaper and slower tier.
    Flex,
    /// A faster and more expensive tier; also sold as *fast mode*.
    Priority,
    /// The fastest tier.
    Ultrafast,
}

impl Tier {
    /// All tiers, in the order in which price lists show them.
    pub const ALL: [Self; 5] = [Self::Standard, Self::Batch, Self::Flex, Self::Priority, Self::Ultrafast];

    /// The name in the book.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Ultrafast => "ultrafast",
        }
    }

    /// The tier with this name in the book.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == name)
    }

    /// The key in the book for the tier's rates above the long-context threshold.
    pub const fn long_key(self) -> &'static str {
        match self {
            Self::Standard => "standard_long",
            Self::Batch => "batch_long",
            Self::Flex => "flex_long",
            Self::Priority => "priority_long",
            Self::Ultrafast => "ultrafast_long",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
