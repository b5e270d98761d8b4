// Splitting text into pre-tokens, and merging the short ones.
#pragma once
#include "merging.h"
#include "pre_tokens.h"
