"""The words that synthetic_notes.py puts together: drugs, reactions and sentence patterns.

All of it was written for this project; no patient is described. A pattern's {…} is one of
  {a|b|c}    one of the alternatives, which may be empty
  {2..9}     a whole number, {0.6..1.2} a number with one decimal
  {name}     an entry of SLOTS, or what the note's patient and stance supply: drug, alternative,
             dose, use, noun, event, bare, bare2, other_cause, pt, pron, poss, him, age, ...
The patterns of REACTION are mirrored in CONTRAST (same drugs, symptoms and verbs, but denied,
planned, feared, somebody else's or explained otherwise), so that words alone do not give the
label away. Every noun is singular, because the patterns put verbs behind it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reaction:
    """nouns fit "developed …", events fit "the patient …", bare words fit "denies …" and "the …"."""

    nouns: tuple[str, ...]
    events: tuple[str, ...]
    bare: tuple[str, ...]
    other_causes: tuple[str, ...]


@dataclass(frozen=True)
class Drug:
    name: str
    doses: tuple[str, ...]
    uses: tuple[str, ...]
    reactions: tuple[str, ...]
    alternatives: tuple[str, ...]


REACTIONS = {
    "rash": Reaction(
        ("a diffuse maculopapular rash", "an itchy rash over the {trunk|back and arms|thighs|neck}",
         "an outbreak of hives", "a {pruritic|widespread|confluent} morbilliform eruption",
         "an urticarial eruption on both {arms|legs|flanks}"),
        ("broke out in hives", "came out in {red, itchy|raised} welts", "was covered in an itchy rash",
         "turned blotchy and itched all over", "began to itch from head to toe"),
        ("rash", "hives", "itching", "skin eruption"),
        ("contact dermatitis from the adhesive tape", "a viral exanthem", "stasis dermatitis", "insect bites",
         "heat rash", "scabies")),
    "angioedema": Reaction(
        ("swelling of the {lips|tongue|lips and tongue}", "facial angioedema", "marked periorbital swelling",
         "lip swelling with a hoarse voice"),
        ("woke with a swollen {upper lip|tongue|face}", "noticed the lips puffing up",
         "had tongue swelling and trouble swallowing"),
        ("facial swelling", "lip swelling", "angioedema", "throat tightness"),
        ("a dental abscess", "a wasp sting", "parotitis", "a shellfish meal")),
    "anaphylaxis": Reaction(
        ("an anaphylactic reaction", "sudden wheeze with a fall in blood pressure",
         "flushing with wheeze and hypotension to {74..88}/{40..52}", "acute bronchospasm with flushing"),
        ("became flushed, wheezy and hypotensive", "went into anaphylaxis",
         "felt the throat close and dropped pressure to {74..88} systolic"),
        ("anaphylaxis", "wheeze", "flushing", "bronchospasm"),
        ("an asthma attack", "a bee sting", "vasovagal syncope", "a panic attack")),
    "cough": Reaction(
        ("a dry {tickling|nagging|persistent|nocturnal} cough", "a constant dry cough",
         "a hacking cough at night"),
        ("could not stop coughing", "was up all night with a dry cough",
         "started to cough without any sputum"),
        ("dry cough", "cough", "throat tickle"),
        ("post-nasal drip", "a chest cold", "reflux", "smoking", "bronchitis")),
    "diarrhea": Reaction(
        ("watery diarrhea {3..9} times a day", "profuse loose stool", "crampy diarrhea",
         "explosive watery stool"),
        ("had {4..10} watery stools in a day", "was running to the toilet all night",
         "came down with cramps and loose stools"),
        ("diarrhea", "loose stool", "cramping"),
        ("norovirus", "the tube feeds", "a lactose load", "a flare of colitis", "food poisoning")),
    "nausea": Reaction(
        ("nausea with repeated vomiting", "severe nausea", "unrelenting vomiting",
         "queasiness with retching"),
        ("threw up {two|three|four|five} times", "vomited after every meal", "could not keep any food down",
         "felt sick to the stomach all day"),
        ("nausea", "vomiting", "queasiness", "stomach upset"),
        ("gastroenteritis", "gastroparesis", "a migraine", "the bowel obstruction", "constipation")),
    "bleeding": Reaction(
        ("a nosebleed that lasted {20..90} minutes", "gross hematuria",
         "melena with hemoglobin down to {6.1..8.4}",
         "a large {thigh|flank|forearm} hematoma", "a rectus sheath hematoma"),
        ("bled from the {gums|nose|gut}", "passed black stools", "bruised all over both {arms|legs}"),
        ("bleeding", "bruising", "melena", "nosebleed"),
        ("hemorrhoids", "a fall", "a Mallory-Weiss tear", "a bladder tumor", "angiodysplasia")),
    "kidney": Reaction(
        ("a rise in creatinine from {0.7..1.1} to {2.0..4.4} mg/dL", "acute kidney injury",
         "interstitial nephritis with creatinine {2.1..4.2}", "acute tubular injury"),
        ("went into acute kidney injury", "had creatinine climb to {2.1..4.6} mg/dL",
         "stopped making urine and creatinine tripled"),
        ("kidney injury", "creatinine rise", "nephrotoxicity", "fall in urine output"),
        ("dehydration", "obstruction by the prostate", "the septic shock", "contrast given for CT")),
    "potassium": Reaction(
        ("hyperkalemia of {5.9..7.1} mmol/L", "a potassium of {5.8..6.9} with peaked T waves",
         "a rise in potassium to {5.8..6.9} mmol/L"),
        ("was found with a potassium of {5.9..7.1}", "had potassium climb to {5.8..6.9} mmol/L",
         "became hyperkalemic at {5.9..6.8}"),
        ("hyperkalemia", "high potassium", "potassium rise"),
        ("a hemolysed sample", "salt substitute", "missed dialysis", "adrenal insufficiency")),
    "liver": Reaction(
        ("hepatitis with ALT {380..1450} U/L", "a rise in ALT to {210..980} U/L", "cholestatic jaundice",
         "jaundice with dark urine"),
        ("turned yellow and ALT reached {320..1450}", "became jaundiced",
         "had transaminases rise to {6..20} times the upper limit"),
        ("liver injury", "jaundice", "ALT rise", "hepatotoxicity"),
        ("hepatitis A", "gallstones", "shock liver", "alcohol", "fatty liver")),
    "muscle": Reaction(
        ("diffuse muscle pain with CK {1900..9800}", "thigh weakness with aching", "rhabdomyolysis",
         "painful proximal myopathy"),
        ("could barely climb stairs for muscle pain", "had both thighs ache and CK rise to {1900..9800}",
         "woke every day with aching calves"),
        ("muscle pain", "myalgia", "weakness", "muscle cramp"),
        ("polymyalgia", "a long run", "hypothyroidism", "the fall and long lie", "influenza")),
    "dizziness": Reaction(
        ("lightheadedness on standing", "a syncopal episode", "orthostatic hypotension to {78..92} systolic",
         "dizziness with a near fall"),
        ("fainted in the {bathroom|kitchen|hallway}", "blacked out on standing",
         "felt the room go dark at every rise from bed"),
        ("dizziness", "lightheadedness", "fainting", "orthostatic hypotension"),
        ("poor oral intake", "inner-ear disease", "anemia", "aortic stenosis", "dehydration")),
    "confusion": Reaction(
        ("marked drowsiness", "acute confusion with visual hallucinations", "excessive sedation",
         "delirium overnight", "oversedation with a respiratory rate of {6..8}"),
        ("became confused and pulled at the lines", "was too drowsy to eat", "saw insects on the wall",
         "could hardly be roused", "slurred every word and nodded off"),
        ("confusion", "drowsiness", "hallucination", "oversedation"),
        ("a urinary infection", "alcohol withdrawal", "a subdural hematoma", "sleep loss", "hypercapnia")),
    "hypoglycemia": Reaction(
        ("symptomatic hypoglycemia of {32..54} mg/dL", "a glucose of {31..52} with sweating",
         "shakiness with glucose {38..54} mg/dL"),
        ("was found sweating with a glucose of {31..52}", "went low to {34..54} mg/dL and needed juice",
         "shook and sweated until given dextrose"),
        ("hypoglycemia", "low sugar", "sweating", "shakiness"),
        ("a missed meal", "sepsis", "liver failure", "an insulinoma", "heavy drinking")),
    "rhythm": Reaction(
        ("bradycardia down to {34..44}", "a QTc of {510..570} with ectopy", "second-degree heart block",
         "a run of torsades"),
        ("slowed to {34..44} beats per minute", "went into heart block", "had the QTc stretch to {510..570}"),
        ("bradycardia", "QT prolongation", "palpitation", "heart block"),
        ("sick sinus syndrome", "an inferior infarct", "hypothyroidism", "low magnesium", "athletic heart")),
    "marrow": Reaction(
        ("neutropenia of {0.2..0.8} x 10⁹/L", "a fall in platelets from {210..340} to {18..62}",
         "pancytopenia",
         "agranulocytosis with fever"),
        ("became neutropenic at {0.2..0.8}", "had platelets fall to {18..62}",
         "dropped all three cell lines"),
        ("neutropenia", "platelet fall", "thrombocytopenia", "low counts"),
        ("cirrhosis", "vitamin B12 deficiency", "a viral illness", "hypersplenism", "myelodysplasia")),
    "edema": Reaction(
        ("pitting edema of both ankles", "leg swelling up to the {knees|mid calf}", "new ankle swelling"),
        ("could no longer fit into shoes for ankle swelling", "swelled to the {knees|shins}",
         "gained {3..7} kg of fluid"),
        ("ankle swelling", "leg edema", "fluid retention"),
        ("venous insufficiency", "a clot", "heart failure", "low albumin", "the long flight")),
    "nerve": Reaction(
        ("tingling in both {hands|feet}", "a painful peripheral neuropathy",
         "burning numbness of the {toes|soles}"),
        ("lost feeling in the {toes|fingertips}", "felt pins and needles in both {hands|feet}",
         "dropped cups from numb fingers"),
        ("tingling", "numbness", "neuropathy", "pins and needles"),
        ("diabetes", "carpal tunnel syndrome", "lumbar stenosis", "vitamin B12 deficiency")),
    "tendon": Reaction(
        ("Achilles tendon pain", "a partial Achilles tear", "sharp heel pain with a swollen tendon"),
        ("limped from a sore Achilles tendon", "felt the Achilles tendon snap",
         "could not push off the left foot"),
        ("tendon pain", "heel pain", "tendon swelling"),
        ("a sprained ankle", "gout", "plantar fasciitis", "a football injury")),
    "constipation": Reaction(
        ("severe constipation", "an ileus", "fecal impaction", "bloating with no stool for {5..9} days"),
        ("had no bowel movement for {5..9} days", "became impacted and needed an enema",
         "bloated up and stopped passing stool"),
        ("constipation", "bloating", "ileus"),
        ("bed rest", "hypercalcemia", "a stricture", "low fiber intake")),
    "movement": Reaction(
        ("an acute dystonic reaction", "a coarse tremor of both hands", "restlessness with pacing",
         "a painful twisting of the neck"),
        ("could not sit still", "arched the neck and rolled the eyes upward", "shook too much to hold a cup"),
        ("tremor", "restlessness", "stiffness", "dystonia"),
        ("Parkinson disease", "thyrotoxicosis", "anxiety", "caffeine", "essential tremor")),
    "sodium": Reaction(
        ("hyponatremia of {114..124} mmol/L", "a fall in sodium to {114..125}",
         "a sodium of {112..124} with a seizure"),
        ("was brought in with a sodium of {112..124}", "had sodium drift down to {114..125}",
         "seized at a sodium of {108..116}"),
        ("hyponatremia", "low sodium", "sodium drop"),
        ("heart failure", "a lung mass", "beer potomania", "vomiting", "excess water intake")),
    "infusion": Reaction(
        ("flushing of the {face|neck|upper chest} with itching",
         "a temperature of {38.6..40.1} °C with rigors",
         "a shaking chill with back pain"),
        ("started shaking with chills", "turned red from the {neck|chest} up",
         "spiked to {38.6..40.1} °C with rigors"),
        ("flushing", "chills", "rigors", "infusion reaction"),
        ("a line infection", "the pneumonia", "a warm room", "malaria", "the abscess")),
    "headache": Reaction(
        ("a throbbing headache", "a pounding frontal headache", "a daily headache with flushing"),
        ("had a pounding headache", "lay in the dark with a splitting headache",
         "was kept awake by a throbbing head"),
        ("headache", "head pain", "throbbing"),
        ("sinusitis", "a missed coffee", "a migraine", "neck strain", "high pressure")),
}  # fmt: skip

DRUGS = (
    Drug("amoxicillin", ("500 mg p.o. t.i.d.", "1 g p.o. b.i.d."), ("sinusitis", "a dental infection",
         "otitis"),
         ("rash", "diarrhea", "anaphylaxis"), ("doxycycline", "azithromycin")),
    Drug("penicillin", ("500 mg p.o. q.i.d.", "2 million units i.v. q.i.d."), ("strep throat", "cellulitis"),
         ("rash", "anaphylaxis", "angioedema"), ("clindamycin", "azithromycin")),
    Drug("ceftriaxone", ("1 g i.v. daily", "2 g i.v. daily"), ("pneumonia", "pyelonephritis"),
         ("rash", "anaphylaxis", "liver"), ("aztreonam", "levofloxacin")),
    Drug("cephalexin", ("500 mg p.o. q.i.d.", "250 mg p.o. q.i.d."), ("cellulitis", "a wound infection"),
         ("rash", "diarrhea", "nausea"), ("doxycycline", "clindamycin")),
    Drug("trimethoprim-sulfamethoxazole", ("one tablet p.o. b.i.d.", "two tablets p.o. b.i.d."),
         ("cystitis", "a skin abscess"), ("rash", "potassium", "kidney", "marrow"), ("nitrofurantoin",
          "fosfomycin")),
    Drug("vancomycin", ("1 g i.v. b.i.d.", "15 mg/kg i.v. b.i.d."), ("MRSA bacteremia", "osteomyelitis"),
         ("infusion", "kidney", "rash"), ("daptomycin", "linezolid")),
    Drug("gentamicin", ("5 mg/kg i.v. daily", "240 mg i.v. daily"), ("endocarditis", "urosepsis"),
         ("kidney", "dizziness"), ("aztreonam", "ceftriaxone")),
    Drug("ciprofloxacin", ("500 mg p.o. b.i.d.", "400 mg i.v. b.i.d."), ("prostatitis", "pyelonephritis"),
         ("tendon", "nausea", "rhythm", "confusion"), ("cefpodoxime", "fosfomycin")),
    Drug("levofloxacin", ("750 mg p.o. daily", "500 mg i.v. daily"), ("pneumonia", "COPD exacerbation"),
         ("tendon", "rhythm", "hypoglycemia"), ("doxycycline", "cefuroxime")),
    Drug("clindamycin", ("300 mg p.o. q.i.d.", "600 mg i.v. t.i.d."), ("a dental abscess", "cellulitis"),
         ("diarrhea", "rash", "nausea"), ("cephalexin", "linezolid")),
    Drug("nitrofurantoin", ("100 mg p.o. b.i.d.", "50 mg p.o. q.i.d."), ("cystitis", "recurrent cystitis"),
         ("nausea", "liver", "nerve", "cough"), ("fosfomycin", "cephalexin")),
    Drug("metronidazole", ("500 mg p.o. t.i.d.", "500 mg i.v. t.i.d."), ("C. difficile colitis",
         "diverticulitis"),
         ("nausea", "nerve", "headache"), ("fidaxomicin", "piperacillin")),
    Drug("isoniazid", ("300 mg p.o. daily",), ("latent tuberculosis",), ("liver", "nerve"), ("rifampin",)),
    Drug("lisinopril", ("5 mg p.o. daily", "10 mg p.o. daily", "20 mg p.o. daily"), ("hypertension",
         "heart failure"),
         ("cough", "angioedema", "potassium", "dizziness"), ("losartan", "amlodipine")),
    Drug("enalapril", ("5 mg p.o. b.i.d.", "10 mg p.o. b.i.d."), ("hypertension", "heart failure"),
         ("cough", "angioedema", "kidney"), ("valsartan", "hydralazine")),
    Drug("amlodipine", ("5 mg p.o. daily", "10 mg p.o. daily"), ("hypertension", "angina"),
         ("edema", "headache", "dizziness"), ("chlorthalidone", "losartan")),
    Drug("metoprolol", ("25 mg p.o. b.i.d.", "50 mg p.o. b.i.d."), ("atrial fibrillation", "angina"),
         ("rhythm", "dizziness"), ("diltiazem", "bisoprolol")),
    Drug("diltiazem", ("120 mg p.o. daily", "240 mg p.o. daily"), ("atrial fibrillation",),
         ("rhythm", "edema", "constipation"), ("metoprolol", "digoxin")),
    Drug("amiodarone", ("200 mg p.o. daily", "400 mg p.o. b.i.d."), ("atrial fibrillation",
         "ventricular ectopy"),
         ("rhythm", "liver", "nausea"), ("dofetilide", "metoprolol")),
    Drug("spironolactone", ("25 mg p.o. daily", "50 mg p.o. daily"), ("ascites", "heart failure"),
         ("potassium", "dizziness"), ("eplerenone", "furosemide")),
    Drug("hydrochlorothiazide", ("12.5 mg p.o. daily", "25 mg p.o. daily"), ("hypertension",),
         ("sodium", "dizziness", "rash"), ("amlodipine", "losartan")),
    Drug("tamsulosin", ("0.4 mg p.o. q.h.s.",), ("urinary retention", "prostate symptoms"),
         ("dizziness", "headache"), ("finasteride",)),
    Drug("warfarin", ("2.5 mg p.o. daily", "5 mg p.o. daily"), ("atrial fibrillation", "a mechanical valve"),
         ("bleeding",), ("apixaban", "heparin")),
    Drug("apixaban", ("2.5 mg p.o. b.i.d.", "5 mg p.o. b.i.d."), ("atrial fibrillation", "a leg clot"),
         ("bleeding", "rash"), ("warfarin", "dabigatran")),
    Drug("heparin", ("5000 units s.c. t.i.d.", "18 units/kg/h i.v."), ("pulmonary embolism",
         "clot prevention"),
         ("marrow", "bleeding"), ("argatroban", "fondaparinux")),
    Drug("clopidogrel", ("75 mg p.o. daily",), ("a coronary stent", "stroke prevention"),
         ("bleeding", "rash"), ("ticagrelor", "aspirin")),
    Drug("ibuprofen", ("400 mg p.o. t.i.d.", "600 mg p.o. q.i.d."), ("back pain", "knee pain"),
         ("kidney", "bleeding", "edema", "rash"), ("acetaminophen", "topical lidocaine")),
    Drug("ketorolac", ("15 mg i.v. q.i.d.", "30 mg i.v. t.i.d."), ("renal colic", "post-operative pain"),
         ("kidney", "bleeding", "anaphylaxis"), ("acetaminophen", "tramadol")),
    Drug("atorvastatin", ("40 mg p.o. q.h.s.", "80 mg p.o. q.h.s."), ("high cholesterol", "coronary disease"),
         ("muscle", "liver"), ("ezetimibe", "pravastatin")),
    Drug("simvastatin", ("20 mg p.o. q.h.s.", "40 mg p.o. q.h.s."), ("high cholesterol",),
         ("muscle", "liver"), ("rosuvastatin", "ezetimibe")),
    Drug("metformin", ("500 mg p.o. b.i.d.", "850 mg p.o. b.i.d.", "1 g p.o. b.i.d."), ("type 2 diabetes",),
         ("diarrhea", "nausea"), ("sitagliptin", "linagliptin")),
    Drug("glipizide", ("5 mg p.o. daily", "10 mg p.o. b.i.d."), ("type 2 diabetes",),
         ("hypoglycemia",), ("linagliptin", "empagliflozin")),
    Drug("insulin glargine", ("18 units s.c. q.h.s.", "24 units s.c. q.h.s.", "32 units s.c. daily"),
         ("type 1 diabetes", "type 2 diabetes"), ("hypoglycemia",), ("insulin detemir",)),
    Drug("pioglitazone", ("15 mg p.o. daily", "30 mg p.o. daily"), ("type 2 diabetes",), ("edema",),
         ("sitagliptin",)),
    Drug("morphine", ("2 mg i.v. q.i.d. as needed", "15 mg p.o. b.i.d."), ("post-operative pain",
         "cancer pain"),
         ("confusion", "nausea", "constipation", "rash"), ("hydromorphone", "fentanyl")),
    Drug("oxycodone", ("5 mg p.o. q.i.d. as needed", "10 mg p.o. b.i.d."), ("fracture pain", "back pain"),
         ("constipation", "nausea", "confusion"), ("acetaminophen", "tramadol")),
    Drug("tramadol", ("50 mg p.o. q.i.d.", "100 mg p.o. b.i.d."), ("knee pain", "shoulder pain"),
         ("nausea", "dizziness", "confusion"), ("acetaminophen", "duloxetine")),
    Drug("gabapentin", ("300 mg p.o. t.i.d.", "600 mg p.o. t.i.d."), ("neuropathic pain", "shingles pain"),
         ("confusion", "dizziness", "edema"), ("duloxetine", "nortriptyline")),
    Drug("sertraline", ("50 mg p.o. daily", "100 mg p.o. daily"), ("depression", "anxiety"),
         ("sodium", "nausea", "movement", "headache"), ("mirtazapine", "bupropion")),
    Drug("lithium", ("300 mg p.o. t.i.d.", "450 mg p.o. b.i.d."), ("bipolar disorder",),
         ("movement", "kidney", "confusion"), ("lamotrigine", "valproate")),
    Drug("haloperidol", ("1 mg p.o. b.i.d.", "2.5 mg i.m. once"), ("agitation", "psychosis"),
         ("movement", "rhythm", "confusion"), ("quetiapine", "olanzapine")),
    Drug("metoclopramide", ("10 mg i.v. t.i.d.", "10 mg p.o. q.i.d."), ("gastroparesis",
         "post-operative nausea"),
         ("movement", "confusion"), ("ondansetron", "domperidone")),
    Drug("carbamazepine", ("200 mg p.o. b.i.d.", "400 mg p.o. b.i.d."), ("trigeminal neuralgia", "seizures"),
         ("rash", "sodium", "marrow", "liver"), ("levetiracetam", "lacosamide")),
    Drug("phenytoin", ("100 mg p.o. t.i.d.", "300 mg p.o. q.h.s."), ("seizures",),
         ("rash", "liver", "confusion"), ("levetiracetam", "valproate")),
    Drug("lamotrigine", ("25 mg p.o. daily", "100 mg p.o. b.i.d."), ("epilepsy", "bipolar disorder"),
         ("rash", "headache"), ("levetiracetam", "quetiapine")),
    Drug("allopurinol", ("100 mg p.o. daily", "300 mg p.o. daily"), ("gout",), ("rash", "liver"),
         ("febuxostat",)),
    Drug("methotrexate", ("15 mg p.o. weekly", "20 mg s.c. weekly"), ("rheumatoid arthritis", "psoriasis"),
         ("liver", "marrow", "nausea", "cough"), ("leflunomide", "hydroxychloroquine")),
    Drug("prednisone", ("20 mg p.o. daily", "40 mg p.o. daily"), ("COPD exacerbation",
         "giant cell arteritis"),
         ("confusion", "edema"), ("azathioprine", "tocilizumab")),
    Drug("infliximab", ("5 mg/kg i.v. every 8 weeks",), ("Crohn disease", "psoriasis"),
         ("infusion", "anaphylaxis", "rash"), ("vedolizumab", "adalimumab")),
    Drug("rituximab", ("375 mg/m² i.v. weekly",), ("lymphoma", "vasculitis"),
         ("infusion", "anaphylaxis"), ("obinutuzumab", "cyclophosphamide")),
    Drug("oxaliplatin", ("85 mg/m² i.v. every 2 weeks",), ("colon cancer",),
         ("nerve", "marrow", "infusion", "nausea"), ("irinotecan",)),
    Drug("paclitaxel", ("80 mg/m² i.v. weekly",), ("breast cancer", "ovarian cancer"),
         ("nerve", "anaphylaxis", "marrow"), ("docetaxel",)),
    Drug("iron sucrose", ("200 mg i.v. weekly",), ("iron deficiency",), ("infusion", "headache"),
         ("ferrous sulfate",)),
    Drug("isosorbide mononitrate", ("30 mg p.o. daily", "60 mg p.o. daily"), ("angina",),
         ("headache", "dizziness"), ("ranolazine",)),
)  # fmt: skip

CONDITIONS = (
    "hypertension", "type 2 diabetes", "COPD", "atrial fibrillation", "coronary disease", "asthma",
    "chronic kidney disease", "rheumatoid arthritis", "hypothyroidism", "depression", "osteoporosis", "gout",
    "heart failure", "prior stroke", "epilepsy", "Crohn disease", "migraine", "obesity", "glaucoma",
    "psoriasis",
)  # fmt: skip

SLOTS = {
    "few": "{two|three|four|five|six}",
    "exposure": "{starting {drug}|the {ordinal} dose of {drug}|taking {drug}|a dose of {drug}|"
                "the switch to {drug}|{drug} was {started|added|increased|doubled}}",
    "ordinal": "{first|second|third|fourth|last}",
    "after": "{{few} {days|hours} after|{15..55} minutes after|within {a day|{few} hours} after|a week after|"
             "{few} weeks after|shortly after|not long after|the morning after|the night after}",
    "stopped": "{stopped|held|discontinued|withdrawn}",
    "relative": "{mother|father|sister|brother|aunt|grandmother|daughter|son|wife's cousin}",
    "initial": "{A|B|C|D|E|F|G|H|K|L|M|N|P|R|S|T|V|W}",
    "settled": "{faded|settled|cleared|resolved|improved|went away}",
    "treatment": "{antihistamines|i.v. fluids|hydrocortisone|observation overnight|a transfer to step-down|"
                 "supportive care|an unplanned overnight stay}",
    "workup": "{serology|imaging|the biopsy|the further work-up|the repeat panel|specialist review}",
    "complaint": "{chest pain|shortness of breath|fever and cough|flank pain|a fall|leg pain|abdominal pain|"
                 "palpitations|weight loss|a swollen knee|back pain|fatigue|dysuria|foot "
                 "ulcer|headache|nausea and vomiting|a rash on the shins|dizziness|confusion}",
    "test": "{chest X-ray|head CT|abdominal ultrasound|echocardiogram|ECG|urinalysis|renal ultrasound|knee "
    "X-ray}",
    "finding": "{was unremarkable|showed no acute change|was read as normal|showed mild chronic change|"
               "was limited by motion|was unchanged from last year}",
    "service": "{cardiology|nephrology|infectious disease|orthopedics|neurology|gastroenterology|"
               "rheumatology|physical therapy|wound care|pharmacy|social work|hematology}",
}  # fmt: skip

OPENING = (
    "{age}-year-old {person} with {condition} and {condition2} {admitted with|seen for|referred "
    "for|presenting with} {complaint}{ for {few} days| since last week|}.",
    "Pt. is a {age}-year-old {person} with a history of {condition}{, here| who came in} {for|with} "
    "{complaint}.",
    "This {age}-year-old {person} {was brought in with|came to clinic for|was transferred for} {complaint}; "
    "background of {condition}.",
    "{age}-year-old {person}, {lives alone|lives with family|retired|works nights}, known {condition}, "
    "{complaint} for {few} {days|weeks}.",
)

# REACTION[section], CONTRAST[section], ROUTINE[section]: stance and section decide the patterns.
REACTION = {
    "history": (
        "{after} {exposure}, {pt} {event}.",
        "{pt} {event} {after} {exposure}.",
        "{pt} {says|states|recalls} that the {drug} gave {him} {noun}.",
        "{pt} stopped {drug} {on {poss} own|without calling} because of {noun}.",
        "{noun} {came on|appeared|set in} {after} {exposure}{ and has not let up|, worse at night|}.",
        "Reports {noun} with each dose of {drug}{, none between doses|}.",
        "Since {exposure}, {pron} has {had|been troubled by|lived with} {noun}.",
        "Denies new foods or contacts; {noun} followed {exposure}.",
        "No such trouble before {drug}, yet {pron} {event} {after} {exposure}.",
        "{family|spouse|neighbor} {called|confirms}: {pron} {event} {after} {exposure}.",
        "{pt} took {drug} for {use} and {event}{ the same {day|night|week}|}.",
        "Did not stop {drug} until {pron} {event}.",
        "{pt} was {well|fine} before {exposure}, but then {event}.",
        "Came back to the {clinic|ward|emergency department} when {pron} {event} on {drug}.",
    ),
    "course": (
        "{drug} was {stopped} on day {2..9} after {pt} {event}.",
        "{noun} {settled} within {few} days of stopping {drug}.",
        "{pt} {event} {after} {exposure}, and the drug was {stopped}.",
        "Course was complicated by {noun} from {drug}{; changed to {alternative}|}.",
        "{noun} came back when {drug} was {restarted|tried again} on day {3..9}.",
        "{after} {exposure}, nursing {noted|charted|found} {noun}{; {treatment} given|}.",
        "Required {treatment} for {noun} {brought on by|caused by|due to} {drug}.",
        "{drug} {could not be continued|had to be abandoned}: {pron} {event}.",
        "{drug} was {switched|changed} to {alternative} {owing to|because of|on account of} {noun}.",
        "Dr. {initial}. reviewed {noun} and {blamed|held responsible|implicated} {drug}.",
        "{noun} was attributed to {drug} rather than to {other_cause}.",
        "{workup} ruled out {other_cause}; {noun} was put down to {drug}.",
        "Transferred in for {other_cause}, but {workup} pointed to {drug} as the cause of {noun}.",
        "No {bare} since {drug} was {stopped}, whereas before that {pron} {event}.",
        "Other causes of the {bare} were excluded{ by {workup}|}, leaving {drug}.",
    ),
    "medications": (
        "{drug} {dose}, stopped on day {2..9} after {noun}.",
        "{drug} {dose}: {stopped}, {pron} {event}.",
        "{drug}, dose halved because of {noun}.",
        "{drug} {held|on hold} since day {2..9} ({noun}).",
        "{alternative}, in place of {drug} after {pron} {event}.",
    ),
    "plan": (
        "{noun}, {likely|probably|possibly|most likely} due to {drug}: {{stopped} today|change to "
        "{alternative}|{treatment}}.",
        "Suspect {drug} as the {culprit for|cause of} {noun}; {will stop it|stop and observe|{alternative} "
        "instead}.",
        "{noun} {felt|judged|thought} to be {drug}-induced{ per Dr. {initial}.|, timing fits|, biopsy "
        "agrees}, {stop|hold|do not rechallenge}.",
        "Add {drug} to the allergy list: {pron} {event} on it{ this week| this admission|}.",
        "Do not rechallenge with {drug} in view of {noun} {this admission|last week|after the {ordinal} "
        "dose}.",
        "Keep holding {drug} until {noun} has {settled|resolved|cleared}.",
        "Stay off {drug}, which gave {him} {noun}.",
        "{bare} on {drug}: {{stopped}, monitor|has {settled} since the last dose|no better yet, "
        "{treatment}}.",
        "Nothing other than {drug} explains {noun}.",
        "Would not restart {drug}, as {pron} {event} {after} {exposure}.",
        "Use {alternative} for {use} from now on, since {pron} {event} on {drug}.",
        "Side effect of {drug} ({bare}) is {easing|still present|better today}; {observe|recheck in {few} "
        "days}.",
        "Cannot rule out {other_cause}, but {noun} {after} {exposure} points to the drug.",
    ),
}

CONTRAST = {
    "history": (
        "{pt} denies {bare} or {bare2} {since|after} {exposure}.",
        "No {bare} {after} {exposure}.",
        "{poss} {relative} {event} {after} {exposure}.",
        "{poss} {relative} once had {noun} from {drug}{; patient has never taken it|}.",
        "{noun} began {few} {days|weeks} before {drug} was {started|prescribed}, from {other_cause}.",
        "{pt} feared that {drug} would cause {bare}, but has had none{ so far|}.",
        "Allergy list by history: {drug}, reaction {not known|not recorded|never described}{, per old "
        "chart|}.",
        "Chart lists a {drug} allergy, yet {pron} has taken it {since|twice} without {bare}.",
        "Read online that {drug} can cause {bare} and asks {about it|whether to take it}.",
        "{pt} took {drug} for {use} {last year|in spring|before} and did not have {bare}.",
        "Asked about {bare} and {bare2}, {pron} reports none on {drug}.",
        "{noun} for {few} {days|weeks} from {other_cause}; {drug} not yet started.",
        "{pt} was fine before and after {exposure}, but {poss} {relative} {event}.",
        "Did not stop {drug}, and {bare} never {came on|appeared}.",
        "A {friend|co-worker|roommate} {event} {after} {exposure}, so {pron} hesitates to take it.",
    ),
    "course": (
        "{pt} tolerated {drug} {well, with no|without any} {bare} or {bare2}.",
        "{drug} was continued, as {noun} {proved to be|turned out to be} from {other_cause}.",
        "{drug}-induced {bare} was considered, but {workup} pointed to {other_cause}.",
        "{drug} was {stopped} before the procedure to lower the risk of {bare}.",
        "Watched for {bare} {after} {exposure}; none {occurred|seen|charted}.",
        "{noun} was attributed to {other_cause} rather than to {drug}.",
        "Received {drug} for {few} days, and no {bare} {occurred|appeared|was charted}.",
        "{alternative} was {preferred to|chosen over|given instead of} {drug} because of the risk of {bare}.",
        "{noun} was already present on arrival, before {exposure}.",
        "{noun} {settled} with {drug} still running, so {other_cause} was blamed.",
        "{workup} ruled out {drug}; {noun} was put down to {other_cause}.",
        "Transferred in for {noun} from {drug}, but {workup} pointed to {other_cause} as the cause.",
        "No {bare} since {drug} was started, although {poss} {relative} {event} on it.",
        "Family worried that {drug} had caused {bare}; {workup} showed {other_cause}.",
        "{drug} was {stopped} on day {2..9} because the course was complete, with no {bare}.",
    ),
    "medications": (
        "{drug} {dose}, hold for {bare} or {bare2}.",
        "{drug} {dose}, stop and call in case of {noun}.",
        "{drug} {dose}: tolerated, no {bare}.",
        "{drug}, stopped on day {2..9}, course complete, no {bare}.",
        "{alternative}, in place of {drug} to avoid {bare}.",
    ),
    "plan": (
        "Advised to watch for {bare} {while on|when taking} {drug}{, handout given|}.",
        "Stop {drug} and return at once if {pron} develops {noun}.",
        "Should {bare} occur, change {drug} to {alternative}.",
        "{Check|Repeat} labs in {few} days, as {drug} may cause {bare}.",
        "Stay on {drug}, which so far has not given {him} {noun}.",
        "{bare} on {drug}: {risk explained|low risk, monitor|what to look for explained, {few} questions "
        "answered}.",
        "Anything other than {drug} explains {noun} better{, {other_cause} above all|}.",
        "Counselled about {bare} and {bare2} before {exposure}.",
        "Low threshold to stop {drug} in case of {bare} or {bare2}.",
        "Doubt that {drug} explains {noun}; {treat as|more in keeping with|most likely} {other_cause}.",
        "Avoid {drug}, given that {poss} {relative} had {noun} on it.",
        "Keep {drug} going: {noun} fits {other_cause}, {timing does not suit|not} the drug.",
        "Premedicate before the next {drug} dose to prevent {bare}.",
        "Consent for {drug} covered {bare} and {bare2}; {pron} agrees to start{ tomorrow|}.",
        "Use {alternative} for {use}, since {drug} could bring on {bare} at {this age|this renal function}.",
        "No sign so far of {bare} from {drug}; continue {dose} as before.",
    ),
}

ROUTINE = {
    "history": (
        "Symptoms {began|started} {few} {days|weeks} ago{, first noticed {at work|on a walk|in bed|after "
        "lunch}|} and {got slowly worse|come and go|are worse at night|keep {him} from "
        "{work|sleep|walking}}.",
        "Takes {drug} {dose} for {use}{, last dose this morning|, missed {few} doses|}.",
        "{pt} was started on {drug} {few} {days|weeks|months} ago for {use}.",
        "Past history of {condition}, {condition2} and {a remote appendectomy|a hip replacement|cataract "
        "surgery}.",
        "{Retired {teacher|cook|driver|clerk}|Works {in an office|on a farm|night shifts}|Lives with "
        "{family|a friend}}, {quit smoking {4..30} years ago|smokes {5..25} a day|never smoked}, drinks "
        "{2..9} units a week.",
        "{poss} {relative} had {condition} and {condition2}.",
        "Appetite {fair|poor|good}, sleeps {3..8} hours, walks with {a cane|a frame|no aid}.",
        "{Seen|Reviewed} by Dr. {initial}. {last week|in {few} clinics}, who {ordered|asked for} an "
        "{echocardiogram|MRI|ECG} for {condition}.",
        "The {complaint} is {new|long-standing|intermittent}, rated {2..9} out of 10, {eased by rest|worse "
        "on exertion|unrelated to meals}.",
        "{pt} denies {fever|chills|chest pain|weight loss|night sweats}, "
        "{orthopnea|dysuria|hemoptysis|falls} and {sick contacts|recent travel|leg swelling|vision change}.",
    ),
    "course": (
        "{drug} {dose} was {started|given|continued} for {use}{ on day {1..4}|}.",
        "Vitals with T {36.4..38.9} °C, BP {98..168}/{54..96}, HR {58..118}, SpO2 {91..99} % on room air.",
        "Labs show Na {133..144}, K {3.5..4.9}, creatinine {0.6..1.9} mg/dL, Hb {8.9..15.2}.",
        "{test} on day {1..6} {finding}{, no further imaging|, discussed with {service}}.",
        "Seen by {service} on day {1..6} {for|about} {condition}, {no new advice|agrees with the plan|will "
        "follow}.",
        "{pt} {walked {20..90} m|climbed {4..16} stairs} with {physical therapy|a frame|one assist} on day "
        "{2..6}.",
        "{complaint} {settled} by day {2..6}{ with rest| with fluids|} and diet was advanced.",
        "Blood cultures {grew nothing|were negative} at {24..72} hours, white count {4.1..13.9}.",
        "Presumed {condition} was treated with {drug} {dose}, with {good|partial|slow} response.",
        "Pain was {2..7} out of 10 {at rest|on movement} on day {1..6}, {controlled|helped} by "
        "{ice|positioning}.",
    ),
    "medications": (
        "{drug} {dose} for {use}.",
        "{drug} {dose}{, new|, unchanged|, continue|, dose increased}.",
        "{alternative}, {unchanged|as before|new this week}, for {use}.",
        "{drug} {dose}, refill for {30..90} days.",
    ),
    "plan": (
        "Continue {drug} {dose} for {use}.",
        "{condition}: {stable|at goal|not at goal}, continue {drug}{, recheck in {few} weeks|}.",
        "Follow up with {service} in {few} weeks for {condition}{, bring the home readings|}.",
        "Repeat {test} in {few} {days|weeks|months}{, results to Dr. {initial}. by letter|, to follow "
        "{condition}}.",
        "Start {drug} {dose} for {use}, review in {few} days.",
        "Discussed with Dr. {initial}., who agrees with {discharge {tomorrow|today}, {service} to "
        "follow|referral to {service}}.",
        "{condition}: diet and {exercise|weight} advice given, {next visit|recheck} in {few} months.",
        "Home with {a walker|visiting nurse|family support}, {low-salt|diabetic|regular} diet, {wound "
        "check|labs|phone call} in {few} days.",
        "Increase {drug} to {dose}, target {BP below 130/80|HbA1c below 7.5 %|pain below 4 out of 10}.",
        "{Flu|Tetanus|Pneumococcal} vaccine {given|up to date}, {colonoscopy|bone scan|eye exam} due in "
        "{3..24} months.",
    ),
}
