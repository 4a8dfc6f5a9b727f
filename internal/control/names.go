package control

import "math/rand/v2"

// Random names are a quality and a member of the families that fork: trees,
// rivers, cutlery. Two words of about forty make some 1,600 names, enough for
// the machines of one user; a name in use is thrown again.
var (
	qualities = []string{
		"able", "agile", "amber", "blue", "bold", "brave", "brisk", "calm", "clear", "clever", "crisp", "eager", "early", "even",
		"fair", "fleet", "fresh", "gentle", "glad", "golden", "green", "happy", "keen", "kind", "light", "lively", "lucky", "merry",
		"mild", "neat", "nimble", "proud", "quick", "quiet", "ready", "silver", "smart", "steady", "sunny", "swift", "tidy", "warm",
	}
	things = []string{
		"alder", "antler", "ash", "aspen", "beech", "birch", "branch", "brook", "cedar", "coral", "creek", "delta", "elm", "fern",
		"fir", "fork", "hazel", "hickory", "ivy", "juniper", "larch", "linden", "maple", "oak", "olive", "palm", "pine", "plum",
		"poplar", "rake", "reed", "river", "root", "rowan", "spruce", "sprout", "tine", "trident", "twig", "vine", "willow", "yew",
	}
)

func randomName() string {
	return qualities[rand.IntN(len(qualities))] + "_" + things[rand.IntN(len(things))]
}
