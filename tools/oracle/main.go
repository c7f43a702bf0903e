// Oracle answers what Kubernetes' own parser makes of a text that may be a quantity.
//
// It reads one JSON string per line from standard input and writes one JSON object per line: what the
// text means, or why it means nothing. The tests of quotatree.units hold their parser against it.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"

	"gopkg.in/inf.v0"
	"k8s.io/apimachinery/pkg/api/resource"
)

type answer struct {
	// Error is the reason of a refusal; the other fields are then empty.
	Error string `json:"error,omitempty"`
	// Nano is the exact amount in 10⁻⁹, a decimal integer.
	Nano string `json:"nano,omitempty"`
	// Format is the family of suffixes that the amount remembers.
	Format string `json:"format,omitempty"`
	// Text is String(): on some paths the text that was parsed.
	Text string `json:"text,omitempty"`
	// Canonical is the form that is written after any arithmetic.
	Canonical string `json:"canonical,omitempty"`
	// Lossless tells whether Canonical is read back as the same amount.
	Lossless bool `json:"lossless,omitempty"`
}

func judge(text string) answer {
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	number, suffix := quantity.CanonicalizeBytes(nil)
	canonical := string(number) + string(suffix)
	again, err := resource.ParseQuantity(canonical)
	return answer{
		Format:    string(quantity.Format),
		Text:      quantity.String(),
		Canonical: canonical,
		Lossless:  err == nil && again.Cmp(quantity) == 0,
		Nano:      nano(quantity.AsDec()),
	}
}

func nano(amount *inf.Dec) string {
	scaled := new(inf.Dec).Mul(amount, inf.NewDec(1, -9))
	return new(inf.Dec).Round(scaled, 0, inf.RoundExact).UnscaledBig().String()
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			log.Fatalf("not a JSON string: %v", err)
		}
		if err := encoder.Encode(judge(text)); err != nil {
			log.Fatal(err)
		}
		// The asker waits for each answer.
		if err := out.Flush(); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
