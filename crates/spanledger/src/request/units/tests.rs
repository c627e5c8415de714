use super::*;

#[test]
fn speech_is_estimated_by_its_characters_and_images_by_quality_and_size() {
    let units = RequestUnits { characters: 7, quality: Some("hd".into()), size: Some("1024x1792".into()) };
    assert_eq!(units.estimate(Endpoint::AudioSpeech, 0, None).unwrap().characters, 7);
    let usage = units.estimate(Endpoint::Images, 2, None).unwrap();
    assert_eq!((usage.images, usage.variant.as_deref()), (2, Some("hd 1024x1792")));
    let defaults = RequestUnits::default().estimate(Endpoint::Images, 1, None).unwrap();
    assert_eq!(defaults.variant.as_deref(), Some("standard 1024x1024"));
}

#[test]
fn there_is_no_estimate_without_units() {
    let units = RequestUnits { characters: 7, ..RequestUnits::default() };
    assert_eq!(units.estimate(Endpoint::Images, 0, None), None);
    assert_eq!(units.estimate(Endpoint::Chat, 1, None), None);
    assert_eq!(RequestUnits::default().estimate(Endpoint::AudioSpeech, 0, None), None);
}

#[test]
fn only_fields_that_the_endpoint_is_priced_by_are_read() {
    let raw = |json: &str| RawValue::from_string(json.to_owned()).unwrap();
    let (input, quality) = (raw(r#""grüße""#), raw(r#""hd""#));
    let read = |endpoint| RequestUnits::read(endpoint, Some(&input), Some(&quality), None);
    assert_eq!(read(Endpoint::AudioSpeech), RequestUnits { characters: 5, ..RequestUnits::default() });
    assert_eq!(read(Endpoint::Images).quality.as_deref(), Some("hd"));
    assert_eq!(read(Endpoint::Chat), RequestUnits::default());
    let messages = raw("[]");
    assert_eq!(RequestUnits::read(Endpoint::AudioSpeech, Some(&messages), None, None).characters, 0);
}

#[test]
fn audio_is_billed_by_its_length_if_the_answer_states_it() {
    let estimate = |seconds: i64| {
        let seconds = Some(Decimal::from(seconds));
        RequestUnits::default().estimate(Endpoint::AudioTranslation, 0, seconds)
    };
    assert_eq!(estimate(30).unwrap().audio_seconds, Some(Decimal::from(30)));
    assert_eq!((estimate(0), estimate(-1)), (None, None));
    assert_eq!(RequestUnits::default().estimate(Endpoint::AudioTranscription, 0, None), None);
}
