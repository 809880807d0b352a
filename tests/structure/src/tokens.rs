//! Paths in token streams, which the parser leaves as they are: the arguments of macros and
//! attributes.
//!
//! This is a heuristic: only the macro knows the meaning of its tokens. A path is a run of
//! identifiers with `::` between them that is neither a field nor a method (after a dot) nor a
//! lifetime.

use proc_macro2::{Delimiter, Literal, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;

/// A path found in a token stream.
#[derive(Debug, Clone)]
pub struct TokenPath {
    /// The names in it; `$crate` is `crate`.
    pub segments: Vec<String>,
    /// Starts with `::`.
    pub absolute: bool,
    /// Ends with `::*`.
    pub glob: bool,
    /// Is followed by `!`.
    pub bang: bool,
    /// The place of its last name.
    pub span: Span,
}

/// Returns all paths in `tokens`, nested groups included. With `strings`, text that is a path of
/// two names or more counts, as in `#[serde(with = "crate::text")]`.
pub fn paths(tokens: TokenStream, strings: bool) -> Vec<TokenPath> {
    let mut scanner = Scanner { found: Vec::new(), strings };
    scanner.stream(tokens, None);
    scanner.found
}

struct Scanner {
    found: Vec<TokenPath>,
    strings: bool,
}

impl Scanner {
    /// Reads one group. `prefix` is the path before it in `prefix::{..}`.
    fn stream(&mut self, tokens: TokenStream, prefix: Option<&TokenPath>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Group(group) => {
                    self.stream(group.stream(), None);
                    at + 1
                }
                TokenTree::Literal(literal) => {
                    if self.strings {
                        self.found.extend(string(literal));
                    }
                    at + 1
                }
                TokenTree::Punct(_) => at + 1,
                TokenTree::Ident(_) => self.path(&tokens, at, prefix),
            }
        }
    }

    /// Reads the path that starts at `at`; returns the position after it.
    fn path(&mut self, tokens: &[TokenTree], at: usize, prefix: Option<&TokenPath>) -> usize {
        let before = |back: usize| at.checked_sub(back).and_then(|index| punctuation(tokens, index));
        let dollar = before(1) == Some('$');
        let dot = before(1) == Some('.') && before(2) != Some('.');
        let lifetime = before(1) == Some('\'');
        let absolute = before(1) == Some(':') && before(2) == Some(':');

        let mut path =
            TokenPath { segments: vec![], absolute, glob: false, bang: false, span: tokens[at].span() };
        if let Some(prefix) = prefix {
            path.segments.clone_from(&prefix.segments);
            path.absolute = prefix.absolute;
        }
        let mut at = at;
        let mut group = None;
        while let Some(TokenTree::Ident(name)) = tokens.get(at) {
            path.segments.push(name.unraw().to_string());
            path.span = name.span();
            at += 1;
            if punctuation(tokens, at) != Some(':') || punctuation(tokens, at + 1) != Some(':') {
                break;
            }
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(_)) => at += 2,
                Some(TokenTree::Group(next)) if next.delimiter() == Delimiter::Brace => {
                    group = Some(next.stream());
                    at += 3;
                    break;
                }
                Some(TokenTree::Punct(next)) if next.as_char() == '*' => {
                    path.glob = true;
                    at += 3;
                    break;
                }
                _ => break,
            }
        }
        path.bang = punctuation(tokens, at) == Some('!') && punctuation(tokens, at + 1) != Some('=');
        let of_crate = path.segments[0] == "crate";
        if dot || lifetime || (dollar && !of_crate) {
            return at;
        }
        match group {
            Some(group) => self.stream(group, Some(&path)),
            None => self.found.push(path),
        }
        at
    }
}

fn punctuation(tokens: &[TokenTree], at: usize) -> Option<char> {
    match tokens.get(at) {
        Some(TokenTree::Punct(punctuation)) => Some(punctuation.as_char()),
        _ => None,
    }
}

fn string(literal: &Literal) -> Option<TokenPath> {
    let text: syn::LitStr = syn::parse_str(&literal.to_string()).ok()?;
    let path: syn::Path = text.parse().ok()?;
    let segments: Vec<String> =
        path.segments.iter().map(|segment| segment.ident.unraw().to_string()).collect();
    (segments.len() > 1).then(|| TokenPath {
        segments,
        absolute: path.leading_colon.is_some(),
        glob: false,
        bang: false,
        span: literal.span(),
    })
}
